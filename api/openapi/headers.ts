import type { Json } from './components.ts';

const header = (description: string, schema: Json, required = false): Json => ({ description, schema, required });
const text = { type: 'string' };
const seconds = { type: 'string', pattern: '^\\d+$' };

/** Every header of a reply that means something. Whether one is always there, each reply says. */
const headers = {
  'X-Request-Id': header('Names the request in our log; that of the request, if it sent one', text, true),
  'X-RateLimit-Limit': header('Requests a minute; absent without a limit', seconds),
  'X-RateLimit-Remaining': header('Requests left in this minute', seconds),
  'X-RateLimit-Reset': header('When the minute ends, in seconds since 1970', seconds),
  'Retry-After': header('Seconds after which to ask again', seconds),
  Location: header('Where it is to be found', { type: 'string', format: 'uri-reference' }, true),
  'Idempotency-Replayed': header('`true` when this repeats an earlier reply to the same Idempotency-Key', {
    const: 'true',
  }),
  'Preference-Applied': header('The wait that was granted', text),
  'Content-Disposition': header('`attachment` and the name of the file', text, true),
  'Logferry-As-Of-Sequence': header('Up to which `sequence_number` the rows go', seconds, true),
  'Cache-Control': header('`no-store`, as the reply holds what is for the caller alone', text, true),
  ETag: header('Names this version', text, true),
  'Last-Modified': header('When this version was made', text, true),
  'Accept-Ranges': header('`bytes`', text, true),
  'Content-Range': header('Which bytes of how many', text, true),
  'Content-Security-Policy': header('Nothing is loaded from elsewhere', text, true),
  'WWW-Authenticate': header('`Bearer`', text, true),
  'frontegg-trace-id': header('The same as X-Request-Id', text, true),
  'X-Rate-Limit-Reset': header('When to ask again, as a time', { type: 'string', format: 'date-time' }),
};
export type HeaderName = keyof typeof headers;

/** `components.headers`. */
export const headerComponents = (): Record<string, Json> => headers;

/** Headers of a reply, by reference. */
export const headersOf = (names: readonly HeaderName[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** Those of every reply behind the rate limit. */
export const limitedHeaders: readonly HeaderName[] = [
  'X-Request-Id',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
];

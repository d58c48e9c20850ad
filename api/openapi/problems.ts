import { AppError, type ErrorType, errorTypes } from '../../core/errors.ts';
import { problemOf } from '../http/error-handler.ts';
import { fronteggErrors } from '../http/frontegg-errors.ts';
import { type Json, ref } from './components.ts';
import { requestIdExample } from './examples.ts';
import { type HeaderName, headersOf, limitedHeaders } from './headers.ts';

/** How errors are written: as problem documents, or as Frontegg's clients read them. */
export type ErrorFamily = 'problem' | 'frontegg';

/** What each error means to a client, as docs/errors.md has it. */
const meanings: Record<ErrorType, string> = {
  bad_request: 'The JSON cannot be read, or a header is missing or malformed.',
  authentication_error: 'No key or token, or an unknown, revoked or expired one.',
  scope_error: 'The key lacks a scope, or is not a management key.',
  plan_feature_unavailable: "The tenant's plan does not include it.",
  not_found: "There is none, or it is another tenant's.",
  method_not_allowed: 'The path has other methods.',
  conflict: 'The thing is in a state that does not allow it.',
  gone: 'The file has expired or was deleted.',
  payload_too_large: 'The body is larger than what is taken.',
  unsupported_media_type: 'The body is of another type, or in an unknown encoding.',
  range_not_satisfiable: 'The range lies outside the file.',
  misdirected_request: 'The tenant lives in another region; `base_url` and `Location` name it, if they are known.',
  validation_error: 'The input is not valid; `errors` lists each mistake.',
  idempotency_mismatch: 'The Idempotency-Key was used for another request.',
  plan_limit_exceeded: "The plan's amount is used up.",
  rate_limit_exceeded: 'Too many requests within a minute.',
  server_error: 'Our mistake; the log has it under the request id.',
  unavailable: 'The database or the storage does not answer.',
};

const headersOfTypes: Partial<Record<ErrorType, readonly HeaderName[]>> = {
  authentication_error: ['WWW-Authenticate'],
  rate_limit_exceeded: ['Retry-After'],
  plan_limit_exceeded: ['Retry-After'],
  unavailable: ['Retry-After'],
  range_not_satisfiable: ['Content-Range'],
};

const namesOfFamily: Record<ErrorFamily, string> = { problem: 'error', frontegg: 'frontegg' };

const statusOf = (type: ErrorType, family: ErrorFamily): number => {
  const error = new AppError(type, '');
  return (family === 'frontegg' && fronteggErrors.statusOf?.(error)) || error.status;
};

/** The replies for these errors, by status: each a reference to one that problemComponents() makes. */
export function errorReplies(types: readonly ErrorType[], family: ErrorFamily): Record<string, Json> {
  const byStatus = Map.groupBy(new Set(types), (type) => statusOf(type, family));
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => {
      const name = [namesOfFamily[family], ...ofStatus.sort()].join('.');
      return [String(status), { $ref: `#/components/responses/${name}` }];
    }),
  );
}

/** `components.responses`: those that the document refers to. */
export function problemComponents(document: Json): Record<string, Json> {
  const referred = JSON.stringify(document).matchAll(/"#\/components\/responses\/([\w.]+)"/g);
  const names = new Set([...referred].map(([, name]) => name!));
  return Object.fromEntries([...names].sort().map((name) => [name, componentOf(name)]));
}

function componentOf(name: string): Json {
  const [family, ...types] = name.split('.') as [string, ...ErrorType[]];
  const isProblem = family === namesOfFamily.problem;
  return {
    description: types.map((type) => `\`${type}\`: ${meanings[type]}`).join(' '),
    headers: {
      ...headersOf([
        ...limitedHeaders,
        ...new Set(types.flatMap((type) => headersOfTypes[type] ?? [])),
        ...(isProblem ? [] : fronteggHeaders(types)),
      ]),
      ...(types.includes('misdirected_request') && { Location: homeHeader }),
    },
    content: isProblem ? problemContent(types) : fronteggContent(types),
  };
}

/** Of a 421: not there when the configuration does not have that region. */
const homeHeader: Json = { description: 'The base URL of the region', schema: { type: 'string', format: 'uri' } };

const fronteggHeaders = (types: ErrorType[]): HeaderName[] => [
  'frontegg-trace-id',
  ...(errorTypes[types[0]!] === 429 ? (['X-Rate-Limit-Reset'] as const) : []),
];

function problemContent(types: ErrorType[]): Json {
  const example = (type: ErrorType) => problemOf(new AppError(type, meanings[type]), requestIdExample);
  const examples = Object.fromEntries(types.map((type) => [type, { value: example(type) }]));
  // One schema for all: generators of clients cannot merge what would narrow it down for each status.
  return { 'application/problem+json': { schema: ref('Problem'), examples } };
}

const fronteggContent = (types: ErrorType[]): Json => ({
  'application/json': {
    schema: ref('FronteggErrors'),
    examples: Object.fromEntries(types.map((type) => [type, { value: { errors: [meanings[type]] } }])),
  },
});

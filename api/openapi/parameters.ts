import { z } from 'zod';
import { sortPathPattern } from '../../core/events/event-path.ts';
import { filterMembers, filterSchema } from '../../core/events/filter.ts';
import { exportStatuses } from '../../prisma/exports/find.ts';
import { pageLimits } from '../http/paging.ts';
import { type Json, ref } from './components.ts';

export type Parameter = Json & { name: string; in: 'query' | 'header' | 'path' };

/** An id in the path. */
export const idOf = (what: string): Parameter => ({
  name: 'id',
  in: 'path',
  required: true,
  description: `Of the ${what}`,
  schema: { type: 'string', minLength: 1 },
});

const query = (name: string, description: string, schema: Json): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const header = (name: string, description: string, schema: Json): Parameter => ({
  name,
  in: 'header',
  description,
  schema,
});

const limitSchema = { type: 'integer', minimum: 1, maximum: pageLimits.most, default: pageLimits.default };
const limit = query('limit', 'Entries of a page', limitSchema);
const cursor = query('cursor', '`meta.next_cursor` of the page before', {
  type: 'string',
  pattern: '^[A-Za-z0-9_-]+$',
});

/** `limit` and `cursor`. */
export const paging: readonly Parameter[] = [limit, cursor];

/** Another name of `limit`, that of LogProof. */
export const perPage = query('per_page', 'Another name of `limit`', limitSchema);

/** `sort` of a list of events. */
export const sort = query('sort', 'A field of the event, with `-` before it for descending. Default: `-occurred_at`', {
  type: 'string',
  pattern: sortPathPattern.replace('^', '^-?'),
});

/** `?status=` of exports, repeated for any of. */
export const exportStatus = query('status', 'Exports of this status; repeated: any of', {
  anyOf: [{ enum: exportStatuses }, { type: 'array', items: { enum: exportStatuses } }],
});

/** The formats of LogProof's stream. */
export const streamFormat = query('format', 'Of the rows', { type: 'string', enum: ['json', 'csv'], default: 'json' });

/** Narrows a list of keys for the management. */
export const ofTenant = query('tenant_id', 'Of this tenant, by its id or external_id', {
  type: 'string',
  minLength: 1,
});

/** The members of the filter as query parameters. Lists are repeated parameters. */
export function filterParameters(): Parameter[] {
  const filter = z.toJSONSchema(filterSchema, { io: 'input', unrepresentable: 'any' });
  const members = filter.properties as Record<string, Json>;
  return filterMembers.map((name) => {
    const { description = 'As in the filter of an export', ...schema } = members[name]!;
    // An object in a query string is JSON text.
    if (name === 'metadata')
      return {
        name,
        in: 'query',
        description: 'The criteria, as JSON text',
        content: {
          'application/json': { schema: ref('MetadataCriteria'), example: { region: { $in: ['eu', 'us'] } } },
        },
      };
    return query(name, String(description), schema);
  });
}

/** The range of numbers, as in a filter. */
export const sequenceRange = filterParameters().filter(({ name }) => name.endsWith('_sequence'));

/** How the management says for whom it acts. */
export const actingFor = (name: 'Logferry-Tenant' | 'frontegg-tenant-id'): Parameter =>
  header(name, 'The tenant that a management key acts for, by id or external_id', { type: 'string', minLength: 1 });

/** POST /v1/exports: a repeat answers the first export again. */
export const idempotencyKey = header('Idempotency-Key', 'For 24 hours a repeat answers the first export again', {
  type: 'string',
  pattern: '^[\\x21-\\x7e]{1,255}$',
});

/** POST /v1/exports: waits for the end. */
export const prefer = header(
  'Prefer',
  '`wait=<s>`: answers when the export has ended, after so many seconds at most (30)',
  {
    type: 'string',
    examples: ['wait=10'],
  },
);

/** Of downloads (RFC 9110 section 14). */
export const range = header('Range', 'One range of bytes', { type: 'string', examples: ['bytes=0-1023'] });

/** Of an EventSource that asks again. */
export const lastEventId = header('Last-Event-ID', 'The id of the last event that the client has had', {
  type: 'string',
  examples: ['running'],
});

export const ifNoneMatch = header('If-None-Match', 'The ETag of what the client has', { type: 'string' });

export const ifModifiedSince = header('If-Modified-Since', 'The Last-Modified of what the client has', {
  type: 'string',
});

import { auditFields } from '../../core/frontegg/fields.ts';
import type { Operation } from '../openapi/described.ts';
import type { Parameter } from '../openapi/parameters.ts';

/** What the calls of Frontegg's API have in common: they take any query parameter, as each may be the name of a custom field. */
export const fronteggCall = {
  errorFamily: 'frontegg',
  anyQuery: true,
  errors: ['bad_request', 'validation_error'],
} as const satisfies Partial<Operation>;

/** One parameter of a query. */
export const query = (
  name: string,
  description: string,
  schema: Parameter['schema'] = { type: 'string' },
): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});

const texts = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
/** A whole number. */
export const digits = { type: 'integer', minimum: 0 };

/** What lists and exports take. Clients send texts and lists in several ways, and `undefined` for what is not set. */
export const auditFilters: readonly Parameter[] = [
  query('created_from', 'Inclusive; ISO 8601, UTC without a zone'),
  query('created_to', 'Inclusive'),
  query('tenant_ids', 'Of these tenants', texts),
  query('users', 'Whose `user` or `actorId` is one of these', texts),
  query('filter', 'Words, all of which must stand in it'),
  query('sortBy', 'The name of a field'),
  query('sortDirection', '`asc` or `desc`, in any case'),
  query('offset', 'Entries to leave out', digits),
  query('count', 'Entries at most', digits),
  query('limit', 'Another name of `count`', digits),
  ...auditFields
    .filter(({ name }) => name !== 'tenantId' && name !== 'vendorId')
    .map(({ name }) => query(name, 'This value; or operators as JSON text, such as `{"$gt": …}`', texts)),
];

/** Said of the calls that take auditFilters. */
export const anyName = 'Every other query parameter is the name of a custom field, which must have that value.';

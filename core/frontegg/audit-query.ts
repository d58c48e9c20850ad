import { type FieldError, invalid } from '../errors.ts';
import type { RowFilter } from '../events/field-criteria.ts';
import { mostSearchWords, wordsOf } from '../events/filter.ts';
import type { Sort } from '../exports/exports.ts';
import { findUnstorable } from '../json/json.ts';
import { readTimeRange } from './created-at.ts';
import { auditPaths, auditSortField } from './fields.ts';
import { type Parameters, readParameters, textsOf } from './parameters.ts';
import { readFieldTests } from './read-field-tests.ts';

/** What a list or an export of audits asks for. */
export type AuditQuery = {
  filter: RowFilter;
  sort: Sort;
  offset: number;
  /** Undefined for all that are left. */
  count: number | undefined;
  /** Of which tenants, for those who may read several; undefined for all of them. */
  tenants: string[] | undefined;
  fileName: string | undefined;
};

/** Characters of a free text: each word costs every row. */
const mostFilter = 256;

/**
 * Reads the query string of a list or an export. What is not reserved is the name of a field that rows must have a value
 * in, custom ones too.
 * @param mostCount what `count` may be at most
 * @throws AppError validation_error with all mistakes
 */
export function readAuditQuery(query: Record<string, unknown>, mostCount: number): AuditQuery {
  const unstorable = findUnstorable(query);
  if (unstorable) throw invalid([unstorable]);
  const parameters = readParameters(query);
  const errors: FieldError[] = [];
  const heard = <T>(read: { value: T } | { error: FieldError }): T | undefined => {
    if ('value' in read) return read.value;
    errors.push(read.error);
    return undefined;
  };
  const { errors: timeErrors, ...range } = readTimeRange(parameters);
  errors.push(...timeErrors);
  const wanted = {
    sort: heard(readSort(parameters)),
    offset: heard(readNumber(parameters, 'offset', { least: 0, most: Number.MAX_SAFE_INTEGER })) ?? 0,
    count:
      heard(readNumber(parameters, 'count', { least: 1, most: mostCount })) ??
      heard(readNumber(parameters, 'limit', { least: 1, most: mostCount })),
    search: heard(readSearch(parameters)),
  };
  const { criteria: fields, errors: fieldErrors } = readFieldTests(parameters);
  errors.push(...fieldErrors);
  if (errors.length > 0) throw invalid(errors);
  const { sort = [], offset, count, search } = wanted;
  const tenants = [...textsOf(parameters, 'tenant_ids'), ...textsOf(parameters, 'tenantId')];
  return {
    filter: { ...range, ...(search !== undefined && { search }), fields },
    sort,
    offset,
    count,
    tenants: tenants.length > 0 ? tenants : undefined,
    fileName: textsOf(parameters, 'outputFileName').findLast((text) => text.trim() !== ''),
  };
}

type Read<T> = { value: T | undefined } | { error: FieldError };

function readNumber(parameters: Parameters, name: string, range: { least: number; most: number }): Read<number> {
  const text = textsOf(parameters, name).at(-1);
  if (text === undefined) return { value: undefined };
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.least && value <= range.most) return { value };
  return { error: { path: name, message: `must be a whole number from ${range.least} to ${range.most}` } };
}

/** Newest first, unless another order is asked for; a field without a direction ascends. */
function readSort(parameters: Parameters): Read<Sort> {
  const field = textsOf(parameters, 'sortBy').at(-1) ?? 'createdAt';
  const direction = textsOf(parameters, 'sortDirection').at(-1)?.toLowerCase();
  if (!/^[A-Za-z0-9_]{1,256}$/.test(field))
    return { error: { path: 'sortBy', message: 'must be the name of a field: letters, digits and _' } };
  if (direction !== undefined && direction !== 'asc' && direction !== 'desc')
    return { error: { path: 'sortDirection', message: 'must be asc or desc' } };
  const isAsked = parameters.has('sortBy');
  // What is the same in all rows of a tenant sorts nothing.
  if (auditPaths(field).length === 0) return { value: [{ field: 'occurred_at', direction: 'desc' }] };
  return { value: [{ field: auditSortField(field), direction: direction ?? (isAsked ? 'asc' : 'desc') }] };
}

function readSearch(parameters: Parameters): Read<string> {
  const text = textsOf(parameters, 'filter').join(' ');
  if (text.trim() === '') return { value: undefined };
  if (text.length > mostFilter)
    return { error: { path: 'filter', message: `must have at most ${mostFilter} characters` } };
  if (wordsOf(text).length > mostSearchWords)
    return { error: { path: 'filter', message: `must have at most ${mostSearchWords} words` } };
  return { value: text };
}

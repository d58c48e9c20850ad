import { splitPath } from '../../core/events/event-path.ts';
import { parseSeverity } from '../../core/events/events.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import type { Criteria, Operator } from '../../core/events/filter.ts';
import { parseTimestamp } from '../../core/times.ts';
import type { Bind } from './bind.ts';
import { fieldCondition } from './field-criteria.ts';
import { jsonOperation } from './json-criteria.ts';
import { jsonAt } from './values.ts';

/** Filter members that compare one column with any of a list. */
const equalities = {
  actor_id: 'actor_id',
  actor_email: 'actor_email',
  target_type: 'target_type',
  target_id: 'target_id',
  ip: 'context_ip',
} as const;

/** Where `search` looks for its words. */
const searchedColumns = [
  'action',
  'description',
  'actor_id',
  'actor_type',
  'actor_name',
  'actor_email',
  'target_type',
  'target_id',
];

/**
 * The filter as SQL conditions, all of which must hold. Lists, streams, exports and estimates all use these, so that they
 * cannot differ. The filter must have passed filterSchema.
 */
export function filterConditions(filter: RowFilter, bind: Bind): string[] {
  const conditions: string[] = [];
  if (filter.action !== undefined) conditions.push(anyAction(asList(filter.action), bind));
  for (const [member, column] of Object.entries(equalities)) {
    const value = filter[member as keyof typeof equalities];
    if (value !== undefined) conditions.push(anyOf(column, asList(value), bind));
  }
  if (filter.severity !== undefined) {
    conditions.push(
      `severity = any(${bind(
        asList(filter.severity).map((s) => parseSeverity(s)!),
        'severity[]',
      )})`,
    );
  }
  if (filter.from !== undefined)
    conditions.push(`occurred_at >= ${bind(parseTimestamp(filter.from, 'start')!, 'timestamptz')}`);
  if (filter.to !== undefined)
    conditions.push(`occurred_at <= ${bind(parseTimestamp(filter.to, 'end')!, 'timestamptz')}`);
  if (filter.after_sequence !== undefined)
    conditions.push(`sequence_number > ${bind(String(filter.after_sequence), 'bigint')}`);
  if (filter.through_sequence !== undefined) {
    conditions.push(`sequence_number <= ${bind(String(filter.through_sequence), 'bigint')}`);
  }
  if (filter.search !== undefined) conditions.push(...allWords(filter.search, bind));
  for (const [path, criteria] of Object.entries(filter.metadata ?? {}))
    conditions.push(...metadataConditions(path, criteria, bind));
  for (const criteria of filter.fields ?? []) conditions.push(fieldCondition(criteria, bind));
  return conditions;
}

const asList = (value: string | string[]): string[] => (Array.isArray(value) ? value : [value]);

const anyOf = (column: string, values: string[], bind: Bind): string =>
  values.length === 1 ? `${column} = ${bind(values[0]!, 'text')}` : `${column} = any(${bind(values, 'text[]')})`;

function anyAction(actions: string[], bind: Bind): string {
  const exact = actions.filter((action) => !action.includes('*'));
  const patterns = actions.filter((action) => action.includes('*'));
  const conditions = patterns.map((pattern) => `action like ${bind(likePattern(pattern), 'text')}`);
  if (exact.length > 0) conditions.unshift(anyOf('action', exact, bind));
  return conditions.length === 1 ? conditions[0]! : `(${conditions.join(' or ')})`;
}

const escapeLike = (text: string): string => text.replaceAll(/[\\%_]/g, '\\$&');
const likePattern = (pattern: string): string => escapeLike(pattern).replaceAll(/\*+/g, '%');

/** Every word must be found somewhere, in any case: `alice login` finds action user.login of actor Alice. */
function allWords(search: string, bind: Bind): string[] {
  const text = `concat_ws(' ', ${searchedColumns.join(', ')})`;
  return search
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => `${text} ilike ${bind(`%${escapeLike(word)}%`, 'text')}`);
}

function metadataConditions(path: string, criteria: Criteria, bind: Bind): string[] {
  const value = `(${jsonAt('metadata', splitPath(path)!, bind)})::jsonb`;
  if (typeof criteria !== 'object' || criteria === null) return [jsonOperation('$eq', value, criteria, bind)];
  return Object.entries(criteria).map(([operator, operand]) =>
    jsonOperation(operator as Operator, value, operand, bind),
  );
}

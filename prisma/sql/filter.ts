import { splitPath } from '../../core/events/event-path.ts';
import { parseSeverity } from '../../core/events/events.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import { type Criteria, type Operator, wordsOf } from '../../core/events/filter.ts';
import { parseTimestamp } from '../../core/times.ts';
import type { Bind } from './bind.ts';
import { fieldCondition } from './field-criteria.ts';
import { jsonOperation } from './json-criteria.ts';
import { jsonAt } from './values.ts';

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

/** What each member of a filter asks of a row. A member without SQL does not compile: it would let every row through. */
const conditionsOf: { [Member in keyof Required<RowFilter>]: Conditions<NonNullable<RowFilter[Member]>> } = {
  action: (actions, bind) => [anyAction(asList(actions), bind)],
  actor_id: equals('actor_id'),
  actor_email: equals('actor_email'),
  target_type: equals('target_type'),
  target_id: equals('target_id'),
  ip: equals('context_ip'),
  severity: (names, bind) => [
    `severity = any(${bind(
      asList(names).map((name) => parseSeverity(name)!),
      'severity[]',
    )})`,
  ],
  from: (time, bind) => [`occurred_at >= ${bind(parseTimestamp(time, 'start')!, 'timestamptz')}`],
  to: (time, bind) => [`occurred_at <= ${bind(parseTimestamp(time, 'end')!, 'timestamptz')}`],
  after_sequence: (number, bind) => [`sequence_number > ${bind(String(number), 'bigint')}`],
  through_sequence: (number, bind) => [`sequence_number <= ${bind(String(number), 'bigint')}`],
  search: allWords,
  metadata: (criteria, bind) =>
    Object.entries(criteria).flatMap(([path, each]) => metadataConditions(path, each, bind)),
  fields: (criteria, bind) => criteria.map((each) => fieldCondition(each, bind)),
};

type Conditions<Value> = (value: Value, bind: Bind) => string[];

const members = Object.keys(conditionsOf) as (keyof RowFilter)[];

/**
 * The filter as SQL conditions, all of which must hold. Lists, streams, exports and estimates all use these, so that they
 * cannot differ. The filter must have passed filterSchema.
 */
export const filterConditions = (filter: RowFilter, bind: Bind): string[] =>
  members.flatMap((member) => {
    const value = filter[member];
    return value === undefined ? [] : (conditionsOf[member] as Conditions<unknown>)(value, bind);
  });

/** For members that compare one column with any of a list. */
function equals(column: string): Conditions<string | string[]> {
  return (values, bind) => [anyOf(column, asList(values), bind)];
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
  return wordsOf(search).map((word) => {
    const pattern = bind(`%${escapeLike(word)}%`, 'text');
    return isAscii(word) ? `${text} ilike ${pattern}` : `${foldCase(text)} like ${foldCase(pattern)}`;
  });
}

const isAscii = (word: string): boolean => /^[\0-\x7f]*$/.test(word);

/**
 * Folds case as Unicode does (simple case folding), which `ilike` does not: it leaves a final sigma, a long s or a micro sign
 * apart from the letters that their capitals have in common. `lower` of some collations makes a final sigma of its own.
 */
const foldCase = (text: string): string => `translate(lower(upper(${text})), 'ς', 'σ')`;

function metadataConditions(path: string, criteria: Criteria, bind: Bind): string[] {
  const value = `(${jsonAt('metadata', splitPath(path)!, bind)})::jsonb`;
  if (typeof criteria !== 'object' || criteria === null) return [jsonOperation('$eq', value, criteria, bind)];
  return Object.entries(criteria).map(([operator, operand]) =>
    jsonOperation(operator as Operator, value, operand, bind),
  );
}

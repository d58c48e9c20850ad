import { type EventPath, parseEventPath } from '../../core/events/event-path.ts';
import { eventLeaves } from '../../core/events/members.ts';
import { effectiveSort, type Sort } from '../../core/exports/exports.ts';
import { literals } from './bind.ts';
import { jsonAt } from './values.ts';

/** One expression of an ORDER BY: as sorted, its SQL type, its direction. */
export type SortKey = { expression: string; type: string; direction: 'asc' | 'desc' };

/**
 * The sort as keys that end in sequence_number, which makes the order total. A field that may be null gives two keys, so
 * that no key is ever null and rows can be compared with `<` and `>`: nulls come last ascending, first descending.
 */
export function sortKeys(sort: Sort): SortKey[] {
  const fields = effectiveSort(sort);
  const keys = fields.flatMap(({ field, direction }) => keysOf(readPath(field), direction));
  if (keys.some((key) => key.expression === 'sequence_number'))
    return keys.slice(0, 1 + keys.findIndex((k) => k.expression === 'sequence_number'));
  return [...keys, { expression: 'sequence_number', type: 'bigint', direction: fields.at(-1)!.direction }];
}

export const orderBy = (keys: SortKey[]): string => keys.map((key) => `${key.expression} ${key.direction}`).join(', ');

/** How a resumable order walks: both keys are in one index, and both run the same way. */
export type KeyRangeOrder = { by: 'occurred_at' | 'sequence_number'; direction: 'asc' | 'desc' };

/** The order as a walk along an index, or undefined if no index serves it: such an export cannot be resumed. */
export function keyRangeOrder(sort: Sort): KeyRangeOrder | undefined {
  const keys = sortKeys(sort);
  const direction = keys[0]!.direction;
  if (keys.some((key) => key.direction !== direction)) return undefined;
  const names = keys.map((key) => key.expression).join();
  if (names === 'sequence_number') return { by: 'sequence_number', direction };
  return names === 'occurred_at,sequence_number' ? { by: 'occurred_at', direction } : undefined;
}

function keysOf({ field, steps }: EventPath, direction: SortKey['direction']): SortKey[] {
  if (field.type === 'text') return nullable(field.column, `${field.column} collate "C"`, 'text', `''`, direction);
  if (field.type === 'json') {
    const json = field.column === null ? wholeMemberKey(field.path) : jsonAt(field.column, steps, literals);
    // A path that holds null and one that does not exist look the same in every file, so they sort as the same.
    const value = `nullif((${json})::jsonb, 'null')`;
    return nullable(value, value, 'jsonb', `'null'`, direction);
  }
  if (field.type === 'proof') throw new Error('proof has no order');
  const type = { uuid: 'uuid', integer: 'bigint', time: 'timestamptz', severity: 'severity', hash: 'bytea' }[
    field.type
  ];
  return [{ expression: field.column, type, direction }];
}

/** A whole group sorts by its texts, in their order. */
const wholeMemberKey = (group: string): string => {
  const texts = eventLeaves.filter(({ path, type }) => type === 'text' && path.startsWith(`${group}.`));
  return `json_build_array(${texts.map(({ column }) => column).join(', ')})`;
};

const nullable = (
  tested: string,
  value: string,
  type: string,
  least: string,
  direction: SortKey['direction'],
): SortKey[] => [
  { expression: `(${tested} is null)`, type: 'boolean', direction },
  { expression: `coalesce(${value}, ${least})`, type, direction },
];

function readPath(field: string): EventPath {
  const path = parseEventPath(field);
  if ('error' in path) throw new Error(path.error);
  return path;
}

import type { EventPath } from '../../core/events/event-path.ts';
import type { EventField } from '../../core/events/events.ts';
import type { CellSource } from '../../core/exports/columns.ts';
import type { Bind } from './bind.ts';

/** A time as the API writes it, or with 3 digits cut to milliseconds. The session must be in UTC (prisma/client.ts). */
export const timeText = (column: string, digits: 3 | 6 = 6): string =>
  `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.${digits === 3 ? 'MS' : 'US'}"Z"')`;

/** JSON `null` for SQL null. */
const orNull = (expression: string): string => `coalesce((${expression})::text, 'null')`;
const jsonText = (column: string): string => orNull(`to_json(${column})`);

const actorJson = `concat('{"id":', ${jsonText('actor_id')}, ',"type":', ${jsonText('actor_type')}, ',"name":', ${jsonText('actor_name')}, ',"email":', ${jsonText('actor_email')}, ',"meta":', ${orNull('actor_meta')}, '}')`;
const hasTarget = 'num_nonnulls(target_type, target_id, target_meta) > 0';
const targetJson = `case when ${hasTarget} then concat('{"type":', ${jsonText('target_type')}, ',"id":', ${jsonText('target_id')}, ',"meta":', ${orNull('target_meta')}, '}') end`;

/** The whole event as JSON text, members in the order of the API reference. */
export const wholeEventJson = `concat('{"id":"', id, '","sequence_number":', sequence_number, ',"action":', to_json(action), ',"severity":"', severity, '","actor":', ${actorJson}, ',"target":', coalesce(${targetJson}, 'null'), ',"context":', context, ',"description":', ${jsonText('description')}, ',"diff":', ${orNull('diff')}, ',"metadata":', metadata, ',"occurred_at":"', ${timeText('occurred_at')}, '","received_at":"', ${timeText('received_at')}, '","created_at":"', ${timeText('received_at')}, '","hash":"', encode(hash, 'hex'), '","previous_hash":"', encode(previous_hash, 'hex'), '"}')`;

/**
 * The value inside a JSON column, as json; SQL null where the path does not exist. `#>` is one call, but takes a number
 * for an array's element and an object's key alike, also one with a sign or spaces before it, so paths with numbers go
 * step by step: `->` keeps them apart.
 */
export function jsonAt(column: string, steps: EventPath['steps'], bind: Bind): string {
  if (steps.length === 0) return column;
  const keysOnly = steps.every((step) => typeof step === 'string' && !/^\s*[+-]?\d+$/.test(step));
  if (keysOnly) return `${column} #> ${bind(steps as string[], 'text[]')}`;
  return steps.reduce<string>(
    (inner, step) => `(${inner} -> ${typeof step === 'number' ? String(step) : bind(step, 'text')})`,
    column,
  );
}

/** Where the whole actor or target is asked for: its JSON, and SQL null for no target. */
export const wholeMemberJson = (field: EventField): string => (field.path === 'actor' ? actorJson : targetJson);

/** The value as the text of a CSV cell; SQL null for an empty one. */
export function cellText(source: CellSource, bind: Bind): string {
  if ('constant' in source) return bind(source.constant, 'text');
  const { field, steps, digits, otherwise } = source;
  if (otherwise) return `coalesce(${cellText({ field, steps, digits }, bind)}, ${cellText(otherwise, bind)})`;
  if (field.column === null) return wholeMemberJson(field);
  if (steps.length > 0) return `(${jsonAt(field.column, steps, bind)}) #>> '{}'`;
  if (field.type === 'time') return timeText(field.column, digits);
  return field.type === 'hash' ? `encode(${field.column}, 'hex')` : field.column;
}

/** Whether a cell may hold text of somebody else's choice, which a spreadsheet might run as a formula. */
export function textCondition(source: CellSource, bind: Bind): string | undefined {
  if ('constant' in source) return 'true';
  const { field, steps } = source;
  if (field.type === 'text') return 'true';
  if (steps.length > 0 && field.column !== null) return `json_typeof(${jsonAt(field.column, steps, bind)}) = 'string'`;
  return undefined;
}

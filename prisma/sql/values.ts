import type { EventPath } from '../../core/events/event-path.ts';
import type { CellSource } from '../../core/exports/columns.ts';
import type { Bind } from './bind.ts';
import { proofJson, timeText, wholeMemberJson } from './event-json.ts';

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

/** The value as the text of a CSV cell; SQL null for an empty one. */
export function cellText(source: CellSource, bind: Bind): string {
  if ('constant' in source) return bind(source.constant, 'text');
  const { field, steps, digits, otherwise } = source;
  if (otherwise) return `coalesce(${cellText({ field, steps, digits }, bind)}, ${cellText(otherwise, bind)})`;
  if (field.column === null) return wholeMemberJson(field.path);
  if (steps.length > 0) return `(${jsonAt(field.column, steps, bind)}) #>> '{}'`;
  if (field.type === 'time') return timeText(field.column, digits);
  if (field.type === 'proof') return proofJson;
  return field.type === 'hash' ? `encode(${field.column}, 'hex')` : field.column;
}

/** Whether a cell may hold text of somebody else's choice, which a spreadsheet might run as a formula. */
export function textCondition(source: CellSource, bind: Bind): string | undefined {
  if ('constant' in source) return 'true';
  const { field, steps, digits, otherwise } = source;
  if (otherwise) {
    const first = { field, steps, digits };
    const [isText, isOtherText] = [first, otherwise].map((path) => textCondition(path, bind) ?? 'false');
    return `case when ${cellText(first, bind)} is null then ${isOtherText} else ${isText} end`;
  }
  if (field.type === 'text') return 'true';
  if (steps.length > 0 && field.column !== null) return `json_typeof(${jsonAt(field.column, steps, bind)}) = 'string'`;
  return undefined;
}

import { findUnstorableText, maxDepth } from '../json/json.ts';
import { nearestName } from '../nearest-name.ts';
import { type EventField, eventFieldPaths, eventFields, findEventField } from './events.ts';

const step = String.raw`\[\d{1,9}\]|\["(?:[^"\\]|\\.)*"\]|\.[^.[\]]+`;
const firstStep = String.raw`\["(?:[^"\\]|\\.)*"\]|\.?[^.[\]]+`;

/** Whether paths go on inside the field. */
const isFreeForm = (field: EventField): boolean => field.type === 'json' && field.column !== null;

/** Any path, as a JSON Schema pattern. */
export const pathPattern = `^(?:${firstStep})(?:${step})*$`;

/** What parseEventPath() reads, as a JSON Schema pattern; it also reads the names of fields in brackets, `["action"]`. */
export const eventPathPattern = patternOf(eventFields);
/** The same without the one field that has no order. */
export const sortPathPattern = patternOf(eventFields.filter(({ type }) => type !== 'proof'));

function patternOf(fields: readonly EventField[]): string {
  const paths = fields.map((field) => field.path.replace('.', '\\.') + (isFreeForm(field) ? `(?:${step})*` : ''));
  return `^(?:${paths.join('|')})$`;
}

/** Where in an event a value stands: a fixed field, and for free-form ones the steps inside it. */
export type EventPath = {
  field: EventField;
  steps: (string | number)[];
  /** Digits of a time behind the second; 6 by default. */
  digits?: 3;
  /** Where the value stands if it does not stand here. */
  otherwise?: EventPath;
};

const token = /\[(\d{1,9})\]|\["((?:[^"\\]|\\.)*)"\]|(?:^|\.)([^.[\]]+)/y;

/**
 * Reads a path such as `metadata.request.roles[0]["a.b"]`.
 * Gives the path, or what is wrong with it, with the nearest field for one that does not exist.
 */
export function parseEventPath(text: string): EventPath | { error: string } {
  const unstorable = findUnstorableText(text, '');
  if (unstorable) return { error: unstorable.message };
  const steps = splitPath(text);
  if (!steps) {
    return { error: `"${text.slice(0, 80)}" is not a path; write metadata.a.b, metadata.list[0] or metadata["a.b"]` };
  }
  // The longest field that the path begins with: `actor.meta.x` is inside actor.meta, not inside actor.
  for (let length = Math.min(2, steps.length); length > 0; length--) {
    const field = findEventField(steps.slice(0, length).join('.'));
    if (!field) continue;
    const rest = steps.slice(length);
    if (rest.length === 0 || isFreeForm(field)) return { field, steps: rest };
    break;
  }
  return { error: unknownField(text) };
}

/** Reads the path of a field to sort by, as parseEventPath(); the one that has no order is refused. */
export function parseSortPath(text: string): EventPath | { error: string } {
  const path = parseEventPath(text);
  if ('error' in path || path.field.type !== 'proof') return path;
  return { error: `"${path.field.path}" has no order; sort by sequence_number, occurred_at or another field` };
}

/** The message for a field that does not exist. */
export function unknownField(text: string): string {
  const near = nearestName(text, eventFieldPaths);
  const roots = eventFields.filter(isFreeForm).map((f) => f.path);
  return (
    `unknown field "${text.slice(0, 80)}"${near ? `, did you mean "${near}"?` : '.'} ` +
    `Allowed: ${eventFieldPaths.join(', ')}, or a path inside ${roots.join(', ')}`
  );
}

/** The key that a JSON string of these characters stands for. */
function unquoted(quoted: string): string | undefined {
  try {
    return JSON.parse(`"${quoted}"`);
  } catch {
    return undefined;
  }
}

/**
 * Splits a path into its steps: text for keys, numbers for `[n]`. Undefined if it cannot be read, has more steps than any
 * event has levels, or names a key that no event can have (NUL, half of a surrogate pair).
 */
export function splitPath(text: string): (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (!match) return undefined;
    const [, index, quoted, plain] = match;
    const step = index !== undefined ? Number(index) : quoted !== undefined ? unquoted(quoted) : plain!;
    if (step === undefined || steps.length > maxDepth) return undefined;
    if (typeof step === 'string' && findUnstorableText(step, '')) return undefined;
    steps.push(step);
  }
  return steps.length > 0 && typeof steps[0] === 'string' ? steps : undefined;
}

import type { FieldError } from '../errors.ts';
import type { EventPath } from '../events/event-path.ts';
import { parseSeverity, severities } from '../events/events.ts';
import type { FieldCriteria } from '../events/field-criteria.ts';
import { type Operator, operators, type Scalar } from '../events/filter.ts';
import { canonicalJson } from '../json/canonical-json.ts';
import { findUnstorable, parseJson } from '../json/json.ts';
import { unknownName } from '../nearest-name.ts';
import { parseTimestamp } from '../times.ts';
import { formerSeverity } from './new-audit.ts';
import type { Value } from './parameters.ts';

/** What a column filter asks, or why it cannot. */
type Read = { criteria: FieldCriteria[] } | { error: FieldError };

/**
 * The conditions that the values of one parameter set for a field: plain texts are any of, operators must hold all.
 * Operands are made what the field holds; `severity` takes any case.
 */
export function readFieldTest(name: string, anyOf: readonly EventPath[], values: readonly Value[]): Read {
  const type = anyOf[0]!.field.type;
  const criteria: FieldCriteria[] = [];
  try {
    const texts = values.filter((value) => typeof value === 'string');
    if (texts.length > 0) {
      const isJson = type === 'json';
      const operand = texts.map((text) => (isJson ? asStored(text) : (converted(type, text) as string)));
      criteria.push({ anyOf, operator: '$is', operand });
    }
    for (const value of values) if (typeof value !== 'string') criteria.push({ anyOf, ...readOperator(type, value) });
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return { error: { path: name, message: error.message } };
  }
  return { criteria };
}

class Mistake extends Error {}

function readOperator(type: string, { operator, operand }: Exclude<Value, string>) {
  if (!Object.hasOwn(operators, operator)) throw new Mistake(unknownName('operator', operator, Object.keys(operators)));
  const kind = operators[operator as Operator];
  if (kind === 'boolean') {
    if (typeof operand !== 'boolean') throw new Mistake(`${operator} takes true or false`);
    return { operator: operator as Operator, operand };
  }
  const list = Array.isArray(operand) ? operand : [operand];
  if ((kind === 'list') !== Array.isArray(operand) || list.length === 0 || list.length > 1000)
    throw new Mistake(`${operator} takes ${kind === 'list' ? 'a list of 1 to 1000 values' : 'one value'}`);
  const scalars = list.map((each) => scalar(operator, each));
  if (kind === 'ordered' && typeof scalars[0] !== 'string' && typeof scalars[0] !== 'number')
    throw new Mistake(`${operator} takes a number or a text`);
  if (type === 'uuid' && kind === 'ordered') throw new Mistake(`${operator} cannot order ids`);
  const made = type === 'json' ? scalars : scalars.map((each) => converted(type, String(each)));
  return { operator: operator as Operator, operand: kind === 'list' ? made : made[0]! };
}

function scalar(operator: string, value: unknown): Scalar {
  if (value !== null && typeof value === 'object') throw new Mistake(`${operator} takes texts, numbers and booleans`);
  const unstorable = findUnstorable(value);
  if (unstorable) throw new Mistake(unstorable.message);
  return value as Scalar;
}

/** The text as a value of a column. */
function converted(type: string, text: string): Scalar {
  if (type === 'severity') {
    const severity = parseSeverity(formerSeverity(text));
    if (!severity) throw new Mistake(unknownName('severity', text, severities));
    return severity;
  }
  if (type !== 'time') return text;
  const time = parseTimestamp(text, 'start');
  if (!time) throw new Mistake('must be an ISO 8601 time such as 2026-11-22T10:00:00.000Z');
  return time;
}

/** An object is compared by its text, so it must be written as ours are. */
function asStored(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return canonicalJson(parseJson(text));
  } catch {
    return text;
  }
}

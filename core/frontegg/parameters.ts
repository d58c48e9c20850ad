import { parseJson } from '../json.ts';

/** One value of a parameter as it came: text, or an operator with what stands behind it. */
export type Value = string | { operator: string; operand: unknown };
/** Parameters by name, each with all its values in order. Unset ones are left out. */
export type Parameters = Map<string, Value[]>;

/** Names of a list (`users[]`, `users[0]`) and of an operator (`createdAt[$gt]`, `severity[$in][]`). */
const inBrackets = /^([^[\]]+)\[(?:(\d*)|(\$\w+))\](?:\[\d*\])?$/;

/**
 * Reads a query string as Frontegg's clients write it: lists as repeated names, with brackets, or as JSON text; operators
 * as JSON text (`createdAt={"$gt":"…"}`) or in brackets, as newer HTTP clients write nested objects. What a client has not
 * set comes as an empty text, or as `undefined` or `null`; all of these are left out.
 */
export function readParameters(query: Record<string, unknown>): Parameters {
  const parameters: Parameters = new Map();
  const add = (name: string, values: Value[]) => {
    if (values.length > 0) parameters.set(name, [...(parameters.get(name) ?? []), ...values]);
  };
  for (const [written, value] of Object.entries(query)) {
    const [, base, , operator] = inBrackets.exec(written) ?? [];
    const texts = [value].flat().map(String).filter(isSet);
    if (operator === undefined) add(base ?? written, texts.flatMap(unpacked));
    else if (texts.length > 0) add(base!, [{ operator, operand: inBracketsOperand(operator, texts) }]);
  }
  return parameters;
}

const isSet = (text: string): boolean => !['', 'undefined', 'null'].includes(text);

/** A JSON list is many values, an object of operators is these, and everything else is itself. */
function unpacked(text: string): Value[] {
  if (!/^\s*[[{]/.test(text)) return [text];
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return [text];
  }
  if (Array.isArray(value)) return value.every(isScalar) ? value.map(String).filter(isSet) : [text];
  const members = Object.entries(value as object);
  if (members.length === 0 || !members.every(([name]) => name.startsWith('$'))) return [text];
  return members.map(([operator, operand]) => ({ operator, operand }));
}

const isScalar = (value: unknown): boolean => value !== null && typeof value !== 'object';

/** Texts from brackets are numbers and booleans where they look like it: nothing else tells them apart. */
const inBracketsOperand = (operator: string, texts: string[]): unknown => {
  const values = texts.map((text) => (/^(?:-?\d+(?:\.\d+)?|true|false)$/.test(text) ? JSON.parse(text) : text));
  return operator === '$in' || operator === '$nin' ? values : values[0];
};

/** The plain texts of a parameter. */
export const textsOf = (parameters: Parameters, name: string): string[] =>
  (parameters.get(name) ?? []).filter((value) => typeof value === 'string');

/** The texts of a parameter that may also come as one, with commas. */
export const listOf = (parameters: Parameters, name: string): string[] =>
  textsOf(parameters, name).flatMap(betweenCommas);

/** What stands between the commas of a text. */
export const betweenCommas = (text: string): string[] =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);

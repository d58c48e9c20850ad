import { AppError, invalid } from '../errors.ts';
import { parseJson } from '../json/json.ts';

/** One value of a parameter as it came: text, or an operator with what stands behind it. */
export type Value = string | { operator: string; operand: unknown };
/** Parameters by name, each with all its values in order. Unset ones are left out. */
export type Parameters = Map<string, Value[]>;

/** Names of a list (`users[]`, `users[0]`) and of an operator (`createdAt[$gt]`, `severity[$in][]`). */
const inBrackets = /^([^[\]]+)\[(?:(\d*)|(\$\w+))\](?:\[\d*\])?$/;

/** Names whose values may come as one text with commas. */
const listNames: ReadonlySet<string> = new Set(['users', 'email', 'severity', 'tenant_ids', 'tenantId']);

/**
 * Reads a query string as Frontegg's clients write it: lists as repeated names, with brackets, as JSON text or with commas;
 * operators as JSON text (`createdAt={"$gt":"…"}`) or in brackets, as newer HTTP clients write nested objects. A `filter`
 * that is a JSON object stands for its members. What a client has not set comes as an empty text, or as `undefined` or
 * `null`; all of these are left out.
 * @throws AppError validation_error for a number that would be rounded, or a member that stands twice
 */
export function readParameters(query: Record<string, unknown>): Parameters {
  const parameters: Parameters = new Map();
  const add = (name: string, values: Value[]) => {
    if (values.length > 0) parameters.set(name, [...(parameters.get(name) ?? []), ...values]);
  };
  const read = (written: string, value: unknown) => {
    const [, base, , operator] = inBrackets.exec(written) ?? [];
    const texts = [value].flat().map(String).filter(isSet);
    const criteria = written === 'filter' ? texts.map(asObject) : [];
    if (criteria.some((each) => each !== undefined)) {
      for (const [name, inner] of criteria.flatMap((each) => Object.entries(each ?? {}))) add(name, valuesOf(inner));
    } else if (operator === undefined) {
      // With brackets or repeated, each is a value of its own, commas and all.
      const mayHaveCommas = base === undefined && texts.length === 1 && listNames.has(written);
      add(base ?? written, texts.flatMap(unpacked).flatMap(mayHaveCommas ? betweenCommas : (each) => [each]));
    } else if (texts.length > 0) add(base!, [{ operator, operand: inBracketsOperand(operator, texts) }]);
  };
  for (const [written, value] of Object.entries(query)) {
    try {
      read(written, value);
    } catch (error) {
      throw error instanceof AppError ? invalid(error.errors.map((each) => ({ ...each, path: written }))) : error;
    }
  }
  return parameters;
}

/** The members of a JSON object, if the text is one of fields and not of operators. */
function asObject(text: string): Record<string, unknown> | undefined {
  const value = asJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.keys(value).some((name) => name.startsWith('$')) ? undefined : (value as Record<string, unknown>);
}

/** A value of a JSON object, as the same in a query string would be read. */
function valuesOf(inner: unknown): Value[] {
  if (inner === null || inner === undefined || inner === '') return [];
  return unpacked(typeof inner === 'string' ? inner : JSON.stringify(inner));
}

function asJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseJson(text);
  } catch (error) {
    // It is JSON, and would be read as something else.
    if (error instanceof AppError && error.type === 'validation_error') throw error;
    return undefined;
  }
}

const isSet = (text: string): boolean => !['', 'undefined', 'null'].includes(text);

/** A JSON list is many values, an object of operators is these, and everything else is itself. */
function unpacked(text: string): Value[] {
  const value = asJson(text);
  if (typeof value !== 'object' || value === null) return [text];
  if (Array.isArray(value)) return value.every(isScalar) ? value.map(String).filter(isSet) : [text];
  const members = Object.entries(value);
  if (members.length === 0 || !members.every(([name]) => name.startsWith('$'))) return [text];
  return members.map(([operator, operand]) => ({ operator, operand }));
}

const isScalar = (value: unknown): boolean => value !== null && typeof value !== 'object';

/** Texts from brackets are numbers and booleans where JSON writes them so: nothing else tells them apart. */
const inBracketsOperand = (operator: string, texts: string[]): unknown => {
  const values = texts.map((text) =>
    /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?|true|false)$/.test(text) ? parseJson(text) : text,
  );
  return operator === '$in' || operator === '$nin' ? values : values[0];
};

/** The plain texts of a parameter. */
export const textsOf = (parameters: Parameters, name: string): string[] =>
  (parameters.get(name) ?? []).filter((value) => typeof value === 'string');

/** What stands between the commas of a text. */
const betweenCommas = (value: Value): Value[] =>
  typeof value !== 'string'
    ? [value]
    : value
        .split(',')
        .map((each) => each.trim())
        .filter(Boolean);

import pg from 'pg';

type OneType = 'uuid' | 'bigint' | 'text' | 'timestamptz' | 'severity' | 'jsonb';

/** SQL types that values from outside are bound as. */
export type SqlType = OneType | `${OneType}[]`;

/** Puts a value into a statement: the only way for anything from outside to get there. */
export type Bind = (value: string | string[], type: SqlType) => string;

/** Binds values as parameters `$1`, `$2`, …, to be passed with the statement. */
export function parameters(): { bind: Bind; values: unknown[] } {
  const values: unknown[] = [];
  return { bind: (value, type) => `$${values.push(value)}::${type}`, values };
}

/** Binds values as quoted literals, for statements that take no parameters: COPY. */
export const literals: Bind = (value, type) =>
  Array.isArray(value) ? `array[${value.map(quote).join(', ')}]::${type}` : `${quote(value)}::${type}`;

/**
 * A text as SQL literal. Backslashes make it an E'' string, so it means the same under either setting of
 * standard_conforming_strings. NUL cannot be in a statement; the schemas refuse it before.
 */
export function quote(text: string): string {
  if (text.includes('\0')) throw new Error('A NUL character cannot be part of a statement');
  return pg.escapeLiteral(text);
}

import { AppError, type FieldError } from './errors.ts';

/** Levels of nesting that are taken. Deeper input is a mistake or an attack on recursion. */
export const maxDepth = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads JSON as it was sent, losing nothing silently.
 * @throws AppError bad_request when it cannot be read; validation_error for a number that JavaScript would round, or
 *   nesting beyond maxDepth
 */
export function parseJson(bytes: Uint8Array | string): unknown {
  const text = typeof bytes === 'string' ? bytes : decode(bytes);
  refuseDeepNesting(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('bad_request', `The body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  refuseRoundedNumbers(text);
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new AppError('bad_request', 'The body is not valid UTF-8.', { cause });
  }
}

/** Anything that might be a number too long or too large; strings match as well, so a match only calls for a closer look. */
const suspicious = /\d{16}|\d[eE]\+?\d{3}/;
const integerToken = /^-?\d+$/;

function refuseRoundedNumbers(text: string): void {
  if (!suspicious.test(text)) return;
  JSON.parse(text, function check(this: unknown, key: string, value: unknown, context?: { source?: string }) {
    if (typeof value !== 'number') return value;
    const source = context?.source ?? '';
    if (!Number.isFinite(value) || (integerToken.test(source) && !Number.isSafeInteger(value))) {
      const message = `the number ${source.slice(0, 40)} does not fit a double without rounding; send it as text`;
      throw new AppError('validation_error', `${key}: ${message}`, { errors: [{ path: key, message }] });
    }
    return value;
  } as (this: unknown, key: string, value: unknown) => unknown);
}

/** Counts brackets outside of strings before JSON.parse or any walk of ours recurses into them. */
function refuseDeepNesting(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) i = endOfString(text, i);
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth + 8) throw tooDeep('');
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}

function endOfString(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
  } while (isEscaped(text, end));
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}

const tooDeep = (path: string): AppError => {
  const message = `is nested more than ${maxDepth} levels deep`;
  return new AppError('validation_error', `${path || 'The body'} ${message}`, { errors: [{ path, message }] });
};

/**
 * What keeps a value from being stored faithfully, if anything: NUL (PostgreSQL text cannot hold it), half of a
 * surrogate pair (UTF-8 cannot), nesting beyond maxDepth.
 */
export function findUnstorable(value: unknown, path: string, depth = 1): FieldError | undefined {
  if (typeof value === 'string') return findUnstorableText(value, path);
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > maxDepth) return { path, message: `is nested more than ${maxDepth} levels deep` };
  for (const key of Object.keys(value)) {
    const inner = `${path}.${key}`;
    const found =
      findUnstorableText(key, inner) ?? findUnstorable((value as Record<string, unknown>)[key], inner, depth + 1);
    if (found) return found;
  }
  return undefined;
}

/** The same for one text. */
export function findUnstorableText(text: string, path: string): FieldError | undefined {
  if (text.includes('\0')) return { path, message: 'holds a NUL character (U+0000), which cannot be stored' };
  if (!text.isWellFormed()) return { path, message: 'holds half of a surrogate pair, which is not valid Unicode' };
  return undefined;
}

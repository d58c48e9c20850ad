import { isAscii } from 'node:buffer';
import { AppError, type FieldError, invalid } from '../errors.ts';
import { countMembers, findDuplicateMember } from './duplicate-members.ts';
import { disguiseKeys, type Span, undisguiseKeys } from './escaped-keys.ts';
import { code, endOfNumber, endOfString, isKey, type JsonBytes } from './scan-json.ts';

/**
 * Values of one text: those in lists and objects, and these. An event of 1 MiB cannot have more, and each takes memory before
 * anybody can say what it is for.
 */
const mostValues = 1_000_000;

/** Levels of nesting that are taken. Deeper input is a mistake or an attack on recursion. */
export const maxDepth = 64;

/** Members of all objects of one text, and those of them whose keys are written with escapes: each takes time that others wait. */
const mostKeys = { inAll: 500_000, escaped: 10_000 };

/** An event in a batch stands two levels deeper than alone and must be taken alike: findUnstorable() counts exactly. */
const enclosingLevels = 8;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads JSON as it was sent, losing nothing silently.
 * @throws AppError bad_request when it cannot be read; validation_error for a number that JavaScript would round, a member
 *   that occurs twice in its object (RFC 8785 builds on I-JSON, RFC 7493 section 2.3), or nesting far beyond maxDepth
 */
export function parseJson(sent: Uint8Array | string): unknown {
  const bytes =
    typeof sent === 'string' ? Buffer.from(sent) : Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength);
  const given = typeof sent === 'string' ? sent : decode(bytes);
  const { keys, escapedKeys, hasRoundedNumber } = inspect(bytes);
  const text = escapedKeys.length > 0 ? disguiseKeys(bytes, escapedKeys) : given;
  let value: unknown;
  try {
    value = JSON.parse(text);
    if (escapedKeys.length > 0) value = undisguiseKeys(value);
  } catch (cause) {
    throw new AppError('bad_request', `The body is not valid JSON: ${syntaxError(given) ?? 'a key is wrong'}`, {
      cause,
    });
  }
  if (keys !== countMembers(value)) refuseDuplicates(bytes);
  if (hasRoundedNumber) refuseRoundedNumbers(text);
  return value;
}

/** What JSON.parse says of the text as it was given: nobody must see a key in disguise. */
function syntaxError(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch (error) {
    return (error as Error).message;
  }
}

function decode(bytes: Buffer): string {
  // Most bodies are; this is a copy.
  if (isAscii(bytes)) return bytes.toString('latin1');
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new AppError('bad_request', 'The body is not valid UTF-8.', { cause });
  }
}

/** What calls for more care than JSON.parse takes. */
type Findings = {
  /** How many keys there are: colons outside of strings. */
  keys: number;
  /** Keys written with escapes (core/json/escaped-keys.ts). */
  escapedKeys: Span[];
  /** Whether there is a number that JavaScript would round. */
  hasRoundedNumber: boolean;
};

/** One look at the text before JSON.parse or any walk of ours recurses into it. @throws AppError for deep nesting, and too much of anything */
function inspect(bytes: JsonBytes): Findings {
  const found: Findings = { keys: 0, escapedKeys: [], hasRoundedNumber: false };
  let depth = 0;
  let values = 0;
  let backslash = bytes.indexOf(code.backslash);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === code.quote) {
      const start = i;
      i = endOfString(bytes, start);
      if (backslash < 0 || backslash > i) continue;
      if (isKey(bytes, i)) found.escapedKeys.push({ start, end: i + 1 });
      if (found.escapedKeys.length > mostKeys.escaped) throw tooMany(mostKeys.escaped, ' whose names hold escapes');
      backslash = bytes.indexOf(code.backslash, i);
    } else if (byte === code.colon) {
      if (++found.keys > mostKeys.inAll) throw tooMany(mostKeys.inAll);
    } else if (byte === code.comma) {
      if (++values > mostValues) throw tooManyValues();
    } else if (byte === code.openObject || byte === code.openList) {
      if (++depth > maxDepth + enclosingLevels) throw invalid([{ path: '', message: tooDeep }]);
      if (++values > mostValues) throw tooManyValues();
    } else if (byte === code.closeObject || byte === code.closeList) depth--;
    else if (byte >= 0x30 && byte <= 0x39) {
      const { end, hasExponent } = endOfNumber(bytes, i);
      // Only so long ones, and those with an exponent, may be.
      if (end - i >= 16 || hasExponent) found.hasRoundedNumber ||= isRoundedText(bytes.toString('latin1', i, end));
      i = end - 1;
    }
  }
  return found;
}

function refuseDuplicates(bytes: JsonBytes): never {
  const path = findDuplicateMember(bytes)!;
  const name = path.at(-1)!.slice(0, 80).toWellFormed();
  throw invalid([{ path: path.join('.'), message: `the member "${name}" occurs twice in its object` }]);
}

const tooMany = (most: number, which = ''): AppError =>
  invalid([{ path: '', message: `has more than ${most} members${which}` }]);

const tooManyValues = (): AppError => invalid([{ path: '', message: `has more than ${mostValues} values` }]);

const isRoundedText = (number: string): boolean => isRounded(Number(number), number);

/** Parses once more, with the source of each number at hand, and names the first one that is not what was sent. */
function refuseRoundedNumbers(text: string): void {
  const rounded = new Set<unknown>();
  const reviver = (_key: string, value: unknown, { source }: { source: string }) => {
    if (typeof value !== 'number' || !isRounded(value, source)) return value;
    const mark = Symbol(`the number ${source.slice(0, 40)}${source.length > 40 ? '…' : ''} ${whyNot(value, source)}`);
    rounded.add(mark);
    return mark;
  };
  const parsed = JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
  if (rounded.size === 0) return;
  const value = undisguiseKeys(parsed);
  const found = findInside(value, (inner) => (rounded.has(inner) ? (inner as symbol).description : undefined))!;
  throw invalid([{ path: found.path.join('.'), message: `${found.message}; send it as text` }]);
}

/**
 * Fractions may lose digits, as everywhere in JSON, but not all of them; whole numbers may lose none. Those beyond 2^53 - 1
 * are taken only where they are written with an exponent again when they are read, so that what was read can be sent back.
 */
function isRounded(value: number, source: string): boolean {
  if (value === 0) return significantDigits(source) !== '';
  if (!Number.isInteger(value)) return !Number.isFinite(value);
  if (Number.isSafeInteger(value)) return false;
  const written = String(value);
  return !written.includes('e') || /^-?\d+$/.test(source) || significantDigits(source) !== significantDigits(written);
}

/** Why a number is refused. */
function whyNot(value: number, source: string): string {
  if (!Number.isFinite(value)) return 'is too large for a double';
  if (value === 0) return 'is too small for a double';
  const isExact = !/e/.test(String(value)) || significantDigits(source) === significantDigits(String(value));
  return isExact
    ? 'is a whole number beyond ±(2^53 − 1), and would be written with digits that readers round'
    : 'does not fit a double without rounding';
}

const significantDigits = (number: string): string =>
  number
    .replace(/e.*/i, '')
    .replaceAll(/\D/g, '')
    .replaceAll(/^0+|0+$/g, '');

const tooDeep = `is nested more than ${maxDepth} levels deep`;

/**
 * What keeps a value from being stored faithfully, if anything: NUL (PostgreSQL text cannot hold it), half of a
 * surrogate pair (UTF-8 cannot), nesting beyond maxDepth, counted from the value itself.
 */
export function findUnstorable(value: unknown): FieldError | undefined {
  const found = findInside(value, (inner, depth) => {
    if (typeof inner === 'string') return unstorableText(inner);
    return depth > maxDepth && typeof inner === 'object' && inner !== null ? tooDeep : undefined;
  });
  return found && { path: found.path.join('.'), message: found.message };
}

/** Whether a value is nested beyond maxDepth. */
export function isTooDeep(value: unknown, levels = maxDepth): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    // Asked here already: most are no objects, and a call for each would take four times as long.
    if (typeof inner === 'object' && isTooDeep(inner, levels - 1)) return true;
  }
  return false;
}

/** What keeps a text from being stored faithfully, if anything. `path` is where it stands. */
export function findUnstorableText(text: string, path: string): FieldError | undefined {
  const message = unstorableText(text);
  return message === undefined ? undefined : { path, message };
}

/** Texts that can be stored, as a JSON Schema pattern for the OpenAPI document. */
export const storableTextPattern = '^[^\\u0000\\ud800-\\udfff]*$';

function unstorableText(text: string): string | undefined {
  if (text.includes('\0')) return 'holds a NUL character (U+0000), which cannot be stored';
  if (!text.isWellFormed()) return 'holds half of a surrogate pair, which is not valid Unicode';
  return undefined;
}

type Fault = (inner: unknown, depth: number) => string | undefined;

/** The first fault among the value, its keys and all that is inside, with its path. */
function findInside(value: unknown, fault: Fault, depth = 1): { path: string[]; message: string } | undefined {
  const message = fault(value, depth);
  if (message !== undefined) return { path: [], message };
  if (typeof value !== 'object' || value === null) return undefined;
  const ofKey = Array.isArray(value) ? undefined : fault;
  for (const key of Object.keys(value)) {
    const atKey = ofKey?.(key, depth);
    if (atKey !== undefined) return { path: [key], message: atKey };
    const found = findInside((value as Record<string, unknown>)[key], fault, depth + 1);
    // The path is made only once something is found: nearly nothing ever is.
    if (found) return { path: [key, ...found.path], message: found.message };
  }
  return undefined;
}

import { randomBytes } from 'node:crypto';
import type { JsonBytes } from './scan-json.ts';

/** Where a key stands in a JSON text, quotes included. */
export type Span = { start: number; end: number };

/** Stands before keys in disguise. Nobody outside can guess it, so no key of theirs can look like one. */
const mark = `${randomBytes(12).toString('hex')}:`;

/**
 * JSON.parse of V8 12.8 to 14.6 (Node 24 among them) may give a key that is written with escapes the name of another key
 * which it has parsed before: https://github.com/nodejs/node/issues/63785. One tenant's events could so change the next
 * one's. So keys with escapes go through it in disguise, written without any.
 */
export function disguiseKeys(bytes: JsonBytes, keys: readonly Span[]): string {
  const pieces: Buffer[] = [];
  let done = 0;
  for (const { start, end } of keys) {
    pieces.push(bytes.subarray(done, start), Buffer.from(`"${mark}${bytes.toString('hex', start, end)}"`));
    done = end;
  }
  return Buffer.concat([...pieces, bytes.subarray(done)]).toString('utf8');
}

/** The value with its keys as they were meant. */
export function undisguiseKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(undisguiseKeys);
  // fromEntries makes members by definition: `__proto__` is a key like any other, and the later of two wins.
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [trueKey(key), undisguiseKeys(inner)]));
}

// A text by itself is parsed rightly: only keys are mistaken.
const trueKey = (key: string): string =>
  key.startsWith(mark) ? JSON.parse(Buffer.from(key.slice(mark.length), 'hex').toString('utf8')) : key;

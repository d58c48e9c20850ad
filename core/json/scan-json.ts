/** A JSON text as bytes in UTF-8. Scanned so, and not as a string: of long strings V8 may take minutes to give each character. */
export type JsonBytes = Buffer;

export const code = {
  quote: 0x22,
  backslash: 0x5c,
  colon: 0x3a,
  comma: 0x2c,
  openObject: 0x7b,
  closeObject: 0x7d,
  openList: 0x5b,
  closeList: 0x5d,
} as const;

/** Where the string ends that begins at `start`: its closing quote, or the end of a text that is cut. */
export function endOfString(bytes: JsonBytes, start: number): number {
  let end = start;
  do {
    end = bytes.indexOf(code.quote, end + 1);
    if (end < 0) return bytes.length;
  } while (isEscaped(bytes, end));
  return end;
}

function isEscaped(bytes: JsonBytes, at: number): boolean {
  let backslashes = 0;
  while (bytes[at - 1 - backslashes] === code.backslash) backslashes++;
  return backslashes % 2 === 1;
}

/** Whether the string whose closing quote is here is a key: a colon follows. */
export function isKey(bytes: JsonBytes, end: number): boolean {
  let at = end + 1;
  while (isSpace(bytes[at])) at++;
  return bytes[at] === code.colon;
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Where the number ends that begins at `start`, and whether it has an exponent. */
export function endOfNumber(bytes: JsonBytes, start: number): { end: number; hasExponent: boolean } {
  let end = start;
  let hasExponent = false;
  for (; isOfNumber(bytes[end]); end++) hasExponent ||= bytes[end] === 0x65 || bytes[end] === 0x45;
  return { end, hasExponent };
}

/** Digits, - + . e E */
const isOfNumber = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45);

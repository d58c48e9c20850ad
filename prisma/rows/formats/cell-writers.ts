import { type RowCursor, readInt32, readInt64, type Writer, writeLiteral } from './row-cursor.ts';

/** Bytes from which one copy() is cheaper than a loop. */
const worthACall = 48;

/** Writes the cell as it is. */
export const writeBytes: Writer = (cursor) => {
  const { row, out, from, length } = cursor;
  if (length >= worthACall) {
    row.copy(out, cursor.at, from, from + length);
    cursor.at += length;
    return;
  }
  let { at } = cursor;
  for (let i = from; i < from + length; i++) out[at++] = row[i]!;
  cursor.at = at;
};

const hexDigits = Buffer.from('0123456789abcdef');

/** Writes bytes as hexadecimal digits. */
export const writeHex: Writer = (cursor) => {
  const { row, out, from, length } = cursor;
  let { at } = cursor;
  for (let i = from; i < from + length; i++) {
    const byte = row[i]!;
    out[at++] = hexDigits[byte >> 4]!;
    out[at++] = hexDigits[byte & 15]!;
  }
  cursor.at = at;
};

const base64UrlDigits = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** Writes bytes in base64url without padding (RFC 4648 section 5). */
export const writeBase64Url: Writer = (cursor) => {
  const { row, out, from, length } = cursor;
  let { at } = cursor;
  for (let i = 0; i < length; i += 3) {
    const second = i + 1 < length ? row[from + i + 1]! : 0;
    const third = i + 2 < length ? row[from + i + 2]! : 0;
    const three = (row[from + i]! << 16) | (second << 8) | third;
    out[at++] = base64UrlDigits[three >> 18]!;
    out[at++] = base64UrlDigits[(three >> 12) & 63]!;
    if (i + 1 < length) out[at++] = base64UrlDigits[(three >> 6) & 63]!;
    if (i + 2 < length) out[at++] = base64UrlDigits[three & 63]!;
  }
  cursor.at = at;
};

const dash = 0x2d;

/** Writes 16 bytes as a UUID (RFC 9562 section 4). */
export const writeUuid: Writer = (cursor) => {
  const { row, out, from } = cursor;
  let { at } = cursor;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) out[at++] = dash;
    const byte = row[from + i]!;
    out[at++] = hexDigits[byte >> 4]!;
    out[at++] = hexDigits[byte & 15]!;
  }
  cursor.at = at;
};

/** Writes a bigint. */
export const writeInteger: Writer = (cursor) => {
  cursor.at += cursor.out.write(String(readInt64(cursor.row, cursor.from)), cursor.at, 'latin1');
};

/** Milliseconds of the year 2000, from which PostgreSQL counts. */
const epochMs = Date.UTC(2000, 0, 1);
const secondsOfDay = 86_400;

/** Makes a writer of times as the API has them, with so many digits behind the second. */
export function timeWriter(digits: 3 | 6): Writer {
  // Rows that follow each other are often of the same day.
  let knownDay = Number.NaN;
  const date = Buffer.from('0000-00-00T');
  return (cursor) => {
    // Beyond the year 2285 the number as a whole would not be exact; 2^32 is 4294 million and 967,296.
    const high = readInt32(cursor.row, cursor.from);
    const micros = high * 967_296 + (readInt32(cursor.row, cursor.from + 4) >>> 0);
    const seconds = Math.floor(micros / 1e6);
    const second = high * 4294 + seconds;
    const day = Math.floor(second / secondsOfDay);
    if (day !== knownDay) {
      knownDay = day;
      date.write(new Date(epochMs + day * secondsOfDay * 1000).toISOString().slice(0, 11), 'latin1');
    }
    writeLiteral(cursor, date);
    writeTimeOfDay(cursor, second - day * secondsOfDay);
    const fraction = (micros - seconds * 1e6) | 0;
    writeFraction(cursor, digits === 3 ? (fraction / 1000) | 0 : fraction, digits);
  };
}

const zero = 0x30;
const colon = 0x3a;
const point = 0x2e;
const zulu = 0x5a;

function writeTimeOfDay(cursor: RowCursor, seconds: number): void {
  const { out, at } = cursor;
  const hours = (seconds / 3600) | 0;
  const minutes = ((seconds - hours * 3600) / 60) | 0;
  const rest = (seconds - hours * 3600 - minutes * 60) | 0;
  out[at] = zero + ((hours / 10) | 0);
  out[at + 1] = zero + (hours % 10);
  out[at + 2] = colon;
  out[at + 3] = zero + ((minutes / 10) | 0);
  out[at + 4] = zero + (minutes % 10);
  out[at + 5] = colon;
  out[at + 6] = zero + ((rest / 10) | 0);
  out[at + 7] = zero + (rest % 10);
  cursor.at = at + 8;
}

function writeFraction(cursor: RowCursor, fraction: number, digits: number): void {
  const { out, at } = cursor;
  out[at] = point;
  let rest = fraction | 0;
  for (let i = at + digits; i > at; i--) {
    const tenth = (rest / 10) | 0;
    out[i] = zero + rest - tenth * 10;
    rest = tenth;
  }
  out[at + digits + 1] = zulu;
  cursor.at = at + digits + 2;
}

const quote = 0x22;
const backslash = 0x5c;

/** For each byte of UTF-8 what must be done with it in JSON: nothing, a backslash before this letter, or `u` for its number. */
const escapes = new Uint8Array(256);
escapes.fill(0x75, 0, 0x20);
for (const [letter, character] of Object.entries({
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
})) {
  escapes[character.charCodeAt(0)] = letter.charCodeAt(0);
}

/** Writes text as a JSON string, with the escapes of RFC 8785 section 3.2.2.2: the fewest there can be. */
export const writeJsonText: Writer = (cursor) => {
  const { row, out, from, length } = cursor;
  let { at } = cursor;
  out[at++] = quote;
  for (let i = from; i < from + length; i++) {
    const byte = row[i]!;
    const letter = escapes[byte]!;
    if (letter === 0) {
      out[at++] = byte;
      continue;
    }
    out[at++] = backslash;
    out[at++] = letter;
    if (letter !== 0x75) continue;
    out[at++] = 0x30;
    out[at++] = 0x30;
    out[at++] = hexDigits[byte >> 4]!;
    out[at++] = hexDigits[byte & 15]!;
  }
  out[at++] = quote;
  cursor.at = at;
};

/** Writes what another one writes between quotes. */
export const quoted =
  (write: Writer): Writer =>
  (cursor) => {
    cursor.out[cursor.at++] = quote;
    write(cursor);
    cursor.out[cursor.at++] = quote;
  };

const nullText = Buffer.from('null');

/** Reads the length of the next cell, writes it, or `null`, and stands behind it. */
export const jsonCell =
  (write: Writer): Writer =>
  (cursor) => {
    const length = readInt32(cursor.row, cursor.from);
    cursor.from += 4;
    cursor.length = length;
    if (length < 0) {
      writeNull(cursor);
      return;
    }
    write(cursor);
    cursor.from += length;
  };

export function writeNull(cursor: RowCursor): void {
  for (let i = 0; i < nullText.length; i++) cursor.out[cursor.at++] = nullText[i]!;
}

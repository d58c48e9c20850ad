import { type RowCursor, readInt32, readInt64, type Writer } from './row-cursor.ts';

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

/** Makes a writer of times as the API has them, with so many digits behind the second. */
export function timeWriter(digits: 3 | 6): Writer {
  // Rows that follow each other are often of the same second.
  let knownSecond = Number.NaN;
  const text = Buffer.from('0000-00-00T00:00:00.');
  return (cursor) => {
    // Beyond the year 2285 the number as a whole would not be exact; 2^32 is 4294 million and 967,296.
    const high = readInt32(cursor.row, cursor.from);
    const micros = high * 967_296 + (readInt32(cursor.row, cursor.from + 4) >>> 0);
    const second = high * 4294 + Math.floor(micros / 1e6);
    if (second !== knownSecond) {
      knownSecond = second;
      text.write(new Date(epochMs + second * 1000).toISOString().slice(0, 19), 'latin1');
    }
    const { out } = cursor;
    let { at } = cursor;
    for (let i = 0; i < text.length; i++) out[at++] = text[i]!;
    let rest = micros - Math.floor(micros / 1e6) * 1e6;
    if (digits === 3) rest = Math.floor(rest / 1000);
    for (let i = at + digits - 1; i >= at; i--) {
      out[i] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    at += digits;
    out[at++] = 0x5a;
    cursor.at = at;
  };
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

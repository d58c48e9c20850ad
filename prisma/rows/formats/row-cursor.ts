import type { CopyMessage } from '../../copy/copy-messages.ts';

/**
 * Where a row is being read and written: PostgreSQL's binary COPY on one side, the bytes of a file on the other. One object
 * that all writers move on, as a million rows are printed with twenty cells each.
 */
export type RowCursor = {
  row: Buffer;
  /** The next byte to read: the length of a cell, or its first byte where `length` was read. */
  from: number;
  /** Bytes of the cell whose length was read last; -1 for null. */
  length: number;
  out: Buffer;
  /** The next byte to write. */
  at: number;
};

/** Reads something of the row and writes it. */
export type Writer = (cursor: RowCursor) => void;

/** Bytes of a binary COPY before its first row: signature, flags, length of an extension that there is none of. */
const headerBytes = 19;
/** The first two bytes of the signature `PGCOPY\n\xff\r\n\0`; no row has so many columns. */
const signature = 0x5047;

/** The first column of a row in a message of a binary COPY; the first message has the header before it. */
export const startOfRow = ({ bytes, from }: CopyMessage): number =>
  (readInt16(bytes, from) === signature ? headerBytes : 0) + from + 2;

/** Whether the message is the trailer: a row of -1 columns. Without any row it comes with the header, in one message. */
export const isTrailer = (message: CopyMessage): boolean =>
  readInt16(message.bytes, startOfRow(message) - 2) === 0xffff;

const readInt16 = (bytes: Buffer, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

/** A 32-bit number with its sign. */
export const readInt32 = (bytes: Buffer, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

/** A 64-bit number; exact up to 2^53, which no sequence number exceeds. */
export const readInt64 = (bytes: Buffer, at: number): number =>
  readInt32(bytes, at) * 0x1_0000_0000 + (readInt32(bytes, at + 4) >>> 0);

/** Writes bytes that are the same in every row. Few at a time: a call of copy() costs more than these. */
export function writeLiteral(cursor: RowCursor, literal: Uint8Array): void {
  const { out } = cursor;
  let { at } = cursor;
  for (let i = 0; i < literal.length; i++) out[at++] = literal[i]!;
  cursor.at = at;
}

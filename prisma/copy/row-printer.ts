import type { CopyMessage } from './copy-messages.ts';

/** Makes the bytes of a file from the messages of a COPY, of which each is a row. */
export type RowPrinter = {
  /** Whether the message is a row: a binary COPY ends with one that is none. */
  isRow(message: CopyMessage): boolean;
  /** Bytes that the row takes at most. */
  bound(message: CopyMessage): number;
  /** Writes the row, and gives the place behind it. */
  print(message: CopyMessage, out: Buffer, at: number): number;
  /** Has the last word on rows that were printed, in place; `bytes` of them are left. */
  settle?(rows: Buffer): { bytes: number; neutralizedCells: number };
};

const cr = 0x0d;
const lf = 0x0a;

/** For rows that PostgreSQL prints as they go into the file, but for their ends. */
export const linePrinter = (lineEnding: 'lf' | 'crlf'): RowPrinter => ({
  isRow: () => true,
  bound: ({ from, to }) => to - from + (lineEnding === 'crlf' ? 1 : 0),
  print({ bytes, from, to }, out, at) {
    if (lineEnding === 'lf') return at + bytes.copy(out, at, from, to);
    const end = at + bytes.copy(out, at, from, to - 1);
    out[end] = cr;
    out[end + 1] = lf;
    return end + 2;
  },
});

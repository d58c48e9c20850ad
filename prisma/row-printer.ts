/** Makes the bytes of a file from the messages of a COPY, of which each is a row. */
export type RowPrinter = {
  /** Whether the message is a row: a binary COPY ends with one that is none. */
  isRow(message: Buffer): boolean;
  /** Bytes that the row takes at most. */
  bound(message: Buffer): number;
  /** Writes the row, and gives the place behind it. */
  print(message: Buffer, out: Buffer, at: number): number;
};

const cr = 0x0d;
const lf = 0x0a;

/** For rows that PostgreSQL prints as they go into the file, but for their ends. */
export const linePrinter = (lineEnding: 'lf' | 'crlf'): RowPrinter => ({
  isRow: () => true,
  bound: (message) => message.length + (lineEnding === 'crlf' ? 1 : 0),
  print(message, out, at) {
    if (lineEnding === 'lf') return at + message.copy(out, at);
    const end = at + message.copy(out, at, 0, message.length - 1);
    out[end] = cr;
    out[end + 1] = lf;
    return end + 2;
  },
});

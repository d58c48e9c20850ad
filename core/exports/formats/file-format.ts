import type { ExportContent } from '../exports.ts';

/** What a file of one format is, but for its rows (prisma/rows/formats). */
export type FileFormat = {
  /** Of the file when it is not compressed. */
  contentType: string;
  /** What stands before the first row. */
  opening(content: ExportContent): Buffer;
  /** Cells of the opening that were altered so that no spreadsheet runs them; none without it. */
  neutralizedTitles?(content: ExportContent): number;
  /** What stands behind the last row; a file that was cut off before it must not parse. */
  closing: Buffer;
  /** Bytes at the beginning of each row that set it apart from the one before; the first row goes without them. */
  separatorBytes: number;
};

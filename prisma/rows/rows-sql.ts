import type { ExportContent, Format } from '../../core/exports/exports.ts';
import { csvRows } from './formats/csv.ts';
import { jsonRows } from './formats/json.ts';
import { ndjsonRows } from './formats/ndjson.ts';
import type { RowsSql } from './formats/rows-sql.ts';

/** How rows of each format are read: a format that is missing does not compile. */
const rowsOf: Readonly<Record<Format, (content: ExportContent) => RowsSql>> = {
  csv: csvRows,
  json: jsonRows,
  ndjson: ndjsonRows,
};

/** How the rows of an export are read. */
export const rowsSql = (content: ExportContent): RowsSql => rowsOf[content.format](content);

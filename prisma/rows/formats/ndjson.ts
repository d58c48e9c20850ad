import type { ExportContent } from '../../../core/exports/exports.ts';
import { printedObjects } from './json.ts';
import type { RowsSql } from './rows-sql.ts';

/** One object a line. */
export const ndjsonRows = (content: ExportContent): RowsSql => printedObjects(content, '{');

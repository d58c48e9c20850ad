import { type Column, columnsOf } from './columns.ts';
import type { ExportContent } from './exports.ts';

/** What readers of such a file may stumble over, a sentence each. */
export function warningsOf(content: ExportContent): string[] {
  const columns = columnsOf(content);
  const isBlank = content.format === 'csv' && content.csv.null === '' && columns.length === 1 && mayBeNull(columns[0]!);
  return isBlank ? [blankLines] : [];
}

/** RFC 4180 has no other way to write a row of one null: a quoted "" is an empty text. */
const blankLines =
  'The rows of a CSV with one column that are null are blank lines, which many readers skip (pandas, Python\u2019s csv.DictReader). ' +
  'Set csv.null to a text such as "NULL", or add a column that is never null, such as id.';

const mayBeNull = ({ source }: Column): boolean =>
  !('constant' in source) && (source.steps.length > 0 || source.field.nullable);

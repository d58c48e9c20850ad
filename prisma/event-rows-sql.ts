import { columnsOf } from '../core/columns.ts';
import type { ExportContent } from '../core/exports.ts';
import { formulaStart } from '../core/file-frame.ts';
import { cellText, jsonValue, textCondition, wholeEventJson } from './event-value-sql.ts';
import { type Bind, literals, quote } from './sql-values.ts';

/** The rows of an export as PostgreSQL writes them: what is selected, and how COPY must print it. */
export type RowsSql = { select: string; copyOptions: string };

/**
 * CSV comes ready from COPY. JSON does too: each row is one text that COPY prints as it is, because delimiter and quote
 * are set to control characters, which JSON text never holds unescaped.
 */
export function rowsSql(content: ExportContent): RowsSql {
  if (content.format === 'json') return { select: `',' || ${jsonRow(content)}`, copyOptions: rawLines };
  if (content.format === 'ndjson') return { select: jsonRow(content), copyOptions: rawLines };
  const { delimiter, null: nullText } = content.csv;
  const copyOptions = `format csv, delimiter ${quote(delimiter)}, null ${quote(nullText)}`;
  return { select: csvCells(content, literals).join(', '), copyOptions };
}

const rawLines = `format csv, delimiter e'\\x01', quote e'\\x02', escape e'\\x02', null e'\\x03'`;

/** The cells of a CSV row as SQL texts, one a column; null for an empty cell. */
export function csvCells(content: ExportContent, bind: Bind): string[] {
  return columnsOf(content).map(({ source }) => {
    const cell = cellText(source, bind);
    const isText = content.csv.formulas === 'neutralize' ? textCondition(source, bind) : undefined;
    if (!isText) return cell;
    return `case when ${isText} and (${cell}) ~ ${quote(formulaStart.source)} then '''' || (${cell}) else ${cell} end`;
  });
}

/** One JSON text a row: the whole event, or a flat object keyed by display name. */
export function jsonRow(content: ExportContent): string {
  if (!content.columns && content.properties.length === 0) return wholeEventJson;
  const members = columnsOf(content).map(
    ({ title, source }, index) =>
      `${quote(`${index === 0 ? '{' : ','}${JSON.stringify(title)}:`)}, ${jsonValue(source, literals)}`,
  );
  // PostgreSQL functions take at most 100 arguments; 100 columns are 200.
  const chunks = Array.from({ length: Math.ceil(members.length / 40) }, (_, i) => members.slice(i * 40, i * 40 + 40));
  return `${chunks.map((chunk) => `concat(${chunk.join(', ')})`).join(' || ')} || '}'`;
}

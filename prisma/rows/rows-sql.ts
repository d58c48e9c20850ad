import { columnsOf } from '../../core/exports/columns.ts';
import type { ExportContent } from '../../core/exports/exports.ts';
import { formulaStart } from '../../core/exports/file-frame.ts';
import { linePrinter, type RowPrinter } from '../copy/row-printer.ts';
import { type Bind, literals, quote } from '../sql/bind.ts';
import { cellText, textCondition } from '../sql/values.ts';
import { jsonRows } from './formats/json.ts';

/** How the rows of an export are read: what is selected, how COPY gives it, and what makes lines of the file from that. */
export type RowsSql = { select: string; copyOptions: string; printer: RowPrinter };

/** CSV comes ready from COPY. JSON is printed here (json-rows.ts). */
export function rowsSql(content: ExportContent): RowsSql {
  if (content.format !== 'csv') return { ...jsonRows(content), copyOptions: 'format binary' };
  const { delimiter, null: nullText, line_ending: lineEnding } = content.csv;
  const copyOptions = `format csv, delimiter ${quote(delimiter)}, null ${quote(nullText)}`;
  return { select: csvCells(content, literals).join(', '), copyOptions, printer: linePrinter(lineEnding) };
}

/** The cells of a CSV row as SQL texts, one a column; null for an empty cell. */
export function csvCells(content: ExportContent, bind: Bind): string[] {
  return columnsOf(content).map(({ source }) => {
    const cell = cellText(source, bind);
    const isText = content.csv.formulas === 'neutralize' ? textCondition(source, bind) : undefined;
    if (!isText) return cell;
    return `case when ${isText} and (${cell}) ~ ${quote(formulaStart.source)} then '''' || (${cell}) else ${cell} end`;
  });
}

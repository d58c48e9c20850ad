import type { CellSource } from '../../../core/exports/columns.ts';
import { columnsOf } from '../../../core/exports/columns.ts';
import type { ExportContent } from '../../../core/exports/exports.ts';
import { formulaStartInPostgres } from '../../../core/exports/formats/formulas.ts';
import { linePrinter } from '../../copy/row-printer.ts';
import { type Bind, literals, quote } from '../../sql/bind.ts';
import { cellText, textCondition } from '../../sql/values.ts';
import { markedStartInPostgres, settleApostrophes } from './neutralized-cells.ts';
import type { RowsSql } from './rows-sql.ts';

/** CSV comes ready from COPY. */
export function csvRows(content: ExportContent): RowsSql {
  const { delimiter, null: nullText, line_ending: lineEnding, formulas } = content.csv;
  const copyOptions = `format csv, delimiter ${quote(delimiter)}, null ${quote(nullText)}`;
  const printer = linePrinter(lineEnding);
  if (formulas === 'keep') return { select: csvCells(content, literals).join(', '), copyOptions, printer };
  const cells = columnsOf(content).map(({ source }) => defused(source, markedStartInPostgres, literals));
  return {
    select: cells.join(', '),
    copyOptions: `${copyOptions}, force_quote *`,
    printer: { ...printer, settle: settleApostrophes },
  };
}

/** The cells of a CSV row as SQL texts, one a column; null for an empty cell. */
export function csvCells(content: ExportContent, bind: Bind): string[] {
  return columnsOf(content).map(({ source }) =>
    content.csv.formulas === 'keep' ? cellText(source, bind) : defused(source, formulaStartInPostgres, bind),
  );
}

/** The cell with an apostrophe before it, if it is a text that the regular expression matches. */
function defused(source: CellSource, start: string, bind: Bind): string {
  const cell = cellText(source, bind);
  const isText = textCondition(source, bind);
  if (!isText) return cell;
  return `case when ${isText} and (${cell}) ~ ${quote(start)} then '''' || (${cell}) else ${cell} end`;
}

import { columnsOf } from '../../../core/exports/columns.ts';
import type { ExportContent } from '../../../core/exports/exports.ts';
import { formulaStartInPostgres } from '../../../core/exports/formats/formulas.ts';
import { linePrinter } from '../../copy/row-printer.ts';
import { type Bind, literals, quote } from '../../sql/bind.ts';
import { cellText, textCondition } from '../../sql/values.ts';
import type { RowsSql } from './rows-sql.ts';

/** CSV comes ready from COPY. */
export function csvRows(content: ExportContent): RowsSql {
  const { delimiter, null: nullText, line_ending: lineEnding, formulas } = content.csv;
  const quotes = formulas === 'neutralize' ? ', force_quote *' : '';
  const copyOptions = `format csv, delimiter ${quote(delimiter)}, null ${quote(nullText)}${quotes}`;
  return { select: csvCells(content, literals).join(', '), copyOptions, printer: linePrinter(lineEnding) };
}

/** The cells of a CSV row as SQL texts, one a column; null for an empty cell. */
export function csvCells(content: ExportContent, bind: Bind): string[] {
  return columnsOf(content).map(({ source }) => {
    const cell = cellText(source, bind);
    const isText = content.csv.formulas === 'neutralize' ? textCondition(source, bind) : undefined;
    if (!isText) return cell;
    return `case when ${isText} and (${cell}) ~ ${quote(formulaStartInPostgres)} then '''' || (${cell}) else ${cell} end`;
  });
}

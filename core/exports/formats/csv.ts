import { stringify } from 'csv-stringify/sync';
import { columnsOf } from '../columns.ts';
import type { ExportContent } from '../exports.ts';
import type { FileFormat } from './file-format.ts';
import { formulaStart } from './formulas.ts';

/** RFC 4180, by default: a BOM if one was asked for, and the titles of the columns. */
export const csvFile: FileFormat = {
  contentType: 'text/csv; charset=utf-8',
  opening(content) {
    const { bom, header } = content.csv;
    return Buffer.from((bom ? '\uFEFF' : '') + (header ? csvLine(headerCells(content), content) : ''));
  },
  neutralizedTitles(content) {
    if (content.csv.formulas === 'keep' || !content.csv.header) return 0;
    return columnsOf(content).filter((column) => formulaStart.test(column.title)).length;
  },
  closing: Buffer.alloc(0),
  separatorBytes: 0,
};

/** The titles of the columns as cells; defused like other texts if formulas are. */
export function headerCells(content: ExportContent): string[] {
  const titles = columnsOf(content).map((column) => column.title);
  if (content.csv.formulas === 'keep') return titles;
  return titles.map((title) => (formulaStart.test(title) ? `'${title}` : title));
}

/** One CSV line, byte for byte as COPY writes it (test/exporting/formats.test.ts). */
export function csvLine(cells: (string | null)[], { csv }: Pick<ExportContent, 'csv'>): string {
  return stringify([cells.map((cell) => cell ?? unquotedNull)], {
    delimiter: csv.delimiter,
    record_delimiter: csv.line_ending === 'crlf' ? '\r\n' : '\n',
    // As COPY does with force_quote: where every cell is quoted, no other delimiter splits a file of one column.
    quoted: csv.formulas === 'neutralize',
    quoted_match: needsQuotes(csv, cells.length),
    // COPY quotes an empty text only where it would read as null.
    quoted_empty: csv.null === '' || csv.formulas === 'neutralize',
    cast: {
      string: (value) =>
        value === unquotedNull
          ? { value: csv.null, quote: false, quoted: false, quoted_empty: false, quoted_match: undefined }
          : value,
    },
  });
}

/** Stands for null on its way through csv-stringify, which takes null and the empty text for the same. */
const unquotedNull = '\u0000null';

/** COPY quotes line breaks of either kind, what would read as null, and `\.` where it is all of a line. */
function needsQuotes(csv: ExportContent['csv'], cells: number): RegExp {
  const escaped = csv.null.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const alternatives = ['[\\r\\n]', `^${escaped}$`, ...(cells === 1 ? ['^\\\\\\.$'] : [])];
  return new RegExp(alternatives.join('|'));
}

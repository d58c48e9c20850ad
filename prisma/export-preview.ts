import type { ExportContent } from '../core/exports.ts';
import type { Database } from './client.ts';
import { copyRows } from './copy-rows.ts';
import { filterConditions } from './event-filter-sql.ts';
import { csvCells, rowsSql } from './event-rows-sql.ts';
import { orderBy, sortKeys } from './event-sort-sql.ts';
import { type ExportRows, scope } from './segments.ts';
import { literals, parameters } from './sql-values.ts';

type Rows = Pick<ExportRows, 'tenantId' | 'asOfSequence' | 'content'>;

/** The first rows as the file would have them: printed by the very COPY that prints the file. */
export async function firstLines(
  database: Database,
  rows: Rows,
  count: number,
  signal: AbortSignal,
): Promise<{ bytes: Buffer; rows: number }> {
  const { select, copyOptions } = rowsSql(rows.content);
  const conditions = [...scope(rows, literals), ...filterConditions(rows.content.filter, literals)];
  const statement =
    `copy (select ${select} from events where ${conditions.join(' and ')} ` +
    `order by ${orderBy(sortKeys(rows.content.sort))} limit ${count}) to stdout with (${copyOptions})`;
  const lineEnding = rows.content.format === 'csv' ? rows.content.csv.line_ending : 'lf';
  const slabs = [];
  for await (const slab of copyRows(database.scans, statement, { lineEnding, signal })) slabs.push(slab);
  return {
    bytes: Buffer.concat(slabs.map((slab) => slab.bytes)),
    rows: slabs.reduce((sum, slab) => sum + slab.rows, 0),
  };
}

/** The first rows as cells: text, or null where a CSV would have an empty cell. */
export async function firstCells(database: Database, rows: Rows, count: number): Promise<(string | null)[][]> {
  const { bind, values } = parameters();
  const content: ExportContent = rows.content;
  const cells = csvCells(content, bind).map((cell) => `(${cell})::text`);
  const conditions = [...scope(rows, bind), ...filterConditions(content.filter, bind)];
  const { rows: found } = await database.scans.query<{ cells: (string | null)[] }>(
    `select array[${cells.join(', ')}] as cells from events where ${conditions.join(' and ')}
     order by ${orderBy(sortKeys(content.sort))} limit ${count}`,
    values,
  );
  return found.map((row) => row.cells);
}

import type { RowChunk } from '../../core/exports/row-chunk.ts';
import type { Database } from '../client.ts';
import { copyRows } from '../copy/copy-rows.ts';
import { asTenant } from '../isolation/as-tenant.ts';
import { literals } from '../sql/bind.ts';
import { filterConditions } from '../sql/filter.ts';
import { orderBy, sortKeys } from '../sql/sort.ts';
import { csvCells } from './formats/csv.ts';
import { rowsSql } from './rows-sql.ts';
import { type ExportRows, scope } from './segments.ts';

type Rows = Pick<ExportRows, 'tenantId' | 'asOfSequence' | 'expiredThrough' | 'content'>;

/** How many rows are wanted, and how long PostgreSQL may look for them: with a rare filter it would read the whole log. */
export type FirstRows = { count: number; limitMs: number };

/** Bytes after which no more of the first rows are read: they are all in memory. */
const mostBytes = 8 * 1024 * 1024;

/**
 * The first rows as the file would have them: printed by the very COPY that prints the file. Fewer where they are large, none if
 * time runs out.
 */
export async function firstLines(
  database: Database,
  rows: Rows,
  { count, limitMs }: FirstRows,
): Promise<{ bytes: Buffer; rows: number }> {
  const { select, copyOptions, printer } = rowsSql(rows.content);
  const statement = `${beginning(rows, limitMs)}copy (${selectFirst(rows, select, count)}) to stdout with (${copyOptions})`;
  const chunks: RowChunk[] = [];
  let bytes = 0;
  await unlessTooLate(async () => {
    // Nobody stops it: PostgreSQL does.
    const { signal } = new AbortController();
    for await (const chunk of copyRows(database.scans, statement, { printer, signal })) {
      chunks.push(chunk);
      bytes += chunk.bytes.length;
      if (bytes >= mostBytes) break;
    }
  });
  return {
    bytes: Buffer.concat(chunks.map((chunk) => chunk.bytes)),
    rows: chunks.reduce((sum, chunk) => sum + chunk.rows, 0),
  };
}

/** The first rows as cells: text, or null where a CSV would have an empty cell. None if time runs out. */
export async function firstCells(
  database: Database,
  rows: Rows,
  { count, limitMs }: FirstRows,
): Promise<(string | null)[][]> {
  const cells = csvCells(rows.content, literals).map((cell) => `(${cell})::text`);
  const statement = beginning(rows, limitMs) + selectFirst(rows, `array[${cells.join(', ')}] as cells`, count);
  const results = await unlessTooLate(() => database.scans.query<{ cells: (string | null)[] }>(statement));
  return (
    [results]
      .flat()
      .at(-1)
      ?.rows.map((row) => row.cells) ?? []
  );
}

function selectFirst({ content, ...rows }: Rows, select: string, count: number): string {
  const conditions = [...scope(rows, literals), ...filterConditions(content.filter, literals)];
  return `select ${select} from events where ${conditions.join(' and ')} order by ${orderBy(sortKeys(content.sort))} limit ${count}`;
}

/** Sent before a simple query, it holds for its implicit transaction alone. */
const beginning = ({ tenantId }: Rows, limitMs: number): string =>
  `${asTenant(tenantId)}set local statement_timeout = ${limitMs}; `;

/** What `work` gives, or undefined if PostgreSQL ended it because its time was up. */
async function unlessTooLate<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: string }).code === '57014') return undefined; // query_canceled
    throw error;
  }
}

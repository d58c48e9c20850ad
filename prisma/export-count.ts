import type pg from 'pg';
import type { Database } from './client.ts';
import { filterConditions } from './event-filter-sql.ts';
import { type ExportRows, scope } from './segments.ts';
import { parameters } from './sql-values.ts';

/** How many rows an export will have; an estimate is the planner's. */
export type RowCount = { rows: number; is: 'exact' | 'estimate' };

/**
 * Counts the rows of an export for at most `limitMs`; after that the planner's estimate has to do. Without a filter, or
 * with one on sequence numbers alone, nothing is counted: numbers have no gaps.
 */
export async function countRows(
  database: Database,
  rows: Pick<ExportRows, 'tenantId' | 'asOfSequence' | 'content'>,
  limitMs: number,
): Promise<RowCount> {
  const { after_sequence: after = 0, through_sequence: through = rows.asOfSequence, ...others } = rows.content.filter;
  if (Object.values(others).every((value) => value === undefined)) {
    return { rows: Math.max(0, Math.min(through, rows.asOfSequence) - after), is: 'exact' };
  }
  const { bind, values } = parameters();
  const conditions = [...scope(rows, bind), ...filterConditions(rows.content.filter, bind)].join(' and ');
  const client = await database.scans.connect();
  let healthy = false;
  try {
    const counted = await countWithin(
      client,
      `select count(*) as rows from events where ${conditions}`,
      values,
      limitMs,
    );
    const found = counted ?? {
      rows: await plannedRows(client, `select 1 from events where ${conditions}`, values),
      is: 'estimate' as const,
    };
    healthy = true;
    return found;
  } finally {
    client.release(!healthy);
  }
}

async function countWithin(
  client: pg.PoolClient,
  statement: string,
  values: unknown[],
  limitMs: number,
): Promise<RowCount | undefined> {
  await client.query('begin read only');
  try {
    await client.query(`set local statement_timeout = ${Math.max(1, Math.round(limitMs))}`);
    const { rows } = await client.query<{ rows: string }>(statement, values);
    return { rows: Number(rows[0]!.rows), is: 'exact' };
  } catch (error) {
    if ((error as { code?: string }).code === '57014') return undefined; // query_canceled: the time is up
    throw error;
  } finally {
    await client.query('rollback');
  }
}

async function plannedRows(client: pg.PoolClient, statement: string, values: unknown[]): Promise<number> {
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }>(
    `explain (format json) ${statement}`,
    values,
  );
  return rows[0]!['QUERY PLAN'][0]!.Plan['Plan Rows'];
}

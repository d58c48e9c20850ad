import type pg from 'pg';
import { inTransaction, type Sql } from '../client.ts';
import { isTimeout } from '../outage.ts';

/**
 * Milliseconds: a batch that takes longer is given up and made smaller, so that nobody waits longer for what it locks; and
 * those between which its size stays.
 */
const limitMs = { most: 800, slow: 250, fast: 60 };
/** Rows of a batch. An event may have a megabyte. */
const sizes = { least: 1, first: 500, most: 10_000 };

/** Removes at most so many rows in the caller's transaction, and says how many; undefined when there is nothing more to do. */
export type RemoveBatch = (sql: Sql, rows: number) => Promise<number | undefined>;

/**
 * Removes rows batch by batch, each a transaction of its own of less than a second, until there are none left or the time is
 * over. Whatever is left after a crash, the next call finds.
 * @param until milliseconds of performance.now()
 */
export async function removeInBatches(
  pool: pg.Pool,
  remove: RemoveBatch,
  until: number,
): Promise<{ removed: number; isDone: boolean }> {
  let removed = 0;
  let size = sizes.first;
  while (performance.now() < until) {
    const begun = performance.now();
    const gone = await oneBatch(pool, remove, size);
    if (gone === undefined) return { removed, isDone: true };
    const took = performance.now() - begun;
    if (gone === 'too slow' || took > limitMs.slow) size = Math.max(sizes.least, Math.floor(size / 2));
    else if (took < limitMs.fast) size = Math.min(sizes.most, size * 2);
    if (gone !== 'too slow') removed += gone;
  }
  return { removed, isDone: false };
}

async function oneBatch(pool: pg.Pool, remove: RemoveBatch, rows: number): Promise<number | 'too slow' | undefined> {
  try {
    return await inTransaction(pool, async (sql) => {
      await sql(`set local statement_timeout = ${limitMs.most}; set local lock_timeout = ${limitMs.most}`);
      return remove(sql, rows);
    });
  } catch (error) {
    // One row alone must be possible: then it is the database that is too slow for anything.
    if (isTimeout(error) && rows > sizes.least) return 'too slow';
    throw error;
  }
}

/** What belongs into the transactions that remove events up to a number. `before` says whether they may go. */
type AroundRemoval = {
  before(sql: Sql, upTo: number): Promise<boolean>;
  after(sql: Sql, upTo: number): Promise<void>;
};

/** Removes the events of a tenant up to a number, from the first one that stands. */
export function removeEventsThrough(tenantId: string, through: number, around?: AroundRemoval): RemoveBatch {
  let after: number | undefined;
  return async (sql, rows) => {
    after ??= (await firstNumber(sql, tenantId)) - 1;
    if (after >= through) return undefined;
    const upTo = Math.min(after + rows, through);
    if (around && !(await around.before(sql, upTo))) return undefined;
    const [gone] = await sql<{ count: unknown }>(
      `with gone as (delete from events where tenant_id = $1::uuid and sequence_number > $2::bigint
         and sequence_number <= $3::bigint returning 1) select count(*) as count from gone`,
      [tenantId, after, upTo],
    );
    await around?.after(sql, upTo);
    after = upTo;
    return Number(gone!.count);
  };
}

async function firstNumber(sql: Sql, tenantId: string): Promise<number> {
  const [first] = await sql<{ sequence_number: unknown }>(
    'select sequence_number from events where tenant_id = $1::uuid order by sequence_number limit 1',
    [tenantId],
  );
  return first ? Number(first.sequence_number) : Infinity;
}

/** Removes the rows of a tenant from a table that names it. */
export const removeRowsOf =
  (
    table:
      | 'deliveries'
      | 'news'
      | 'webhooks'
      | 'idempotency_keys'
      | 'api_keys'
      | 'open_streams'
      | 'erasures'
      | 'log_tiles',
    tenantId: string,
  ): RemoveBatch =>
  async (sql, rows) => {
    const [gone] = await sql<{ count: unknown }>(
      `with gone as (delete from ${table} where ctid in (select ctid from ${table} where tenant_id = $1::uuid limit $2)
         returning 1) select count(*) as count from gone`,
      [tenantId, rows],
    );
    return Number(gone!.count) || undefined;
  };

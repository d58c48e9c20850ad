import { FinalError } from '../../core/errors.ts';
import type { Erasable } from '../../core/events/erasure-request.ts';
import type { Filter } from '../../core/events/filter.ts';
import { parseJson } from '../../core/json/json.ts';
import { type Database, inTransaction, type Sql } from '../client.ts';
import { lockRemovable } from '../removal/expiry.ts';
import { type RemoveBatch, removeInBatches } from '../removal/in-batches.ts';
import { erasedColumns, eraseRange } from './erase-rows.ts';
import type { ErasureRow } from './find.ts';

/** Any number that nothing else locks. */
const claimLock = 4_242_002;

/**
 * Claims the erasure that has waited longest, or whose worker has been silent for longer than its lease. One of a tenant runs at
 * a time, be its worker silent or not: each makes proofs from rows as it reads them.
 */
export async function claimErasure({ runs, prisma }: Database, leaseSeconds: number): Promise<ErasureRow | undefined> {
  const results = await runs.query(`
    select pg_advisory_xact_lock(${claimLock});
    update erasures set status = 'running', epoch = epoch + 1, retry_at = null, error = null,
      lease_until = now() + make_interval(secs => ${Math.ceil(leaseSeconds)})
    where id = (
      select id from erasures e
      where (status = 'queued' and coalesce(retry_at <= now(), true) or status = 'running' and lease_until < now())
        and not exists (select from erasures o where o.tenant_id = e.tenant_id and o.id <> e.id and o.status = 'running')
      order by id limit 1 for update skip locked)
    returning id`);
  const id = (results as unknown as { rows: { id: string }[] }[])[1]!.rows[0]?.id;
  return id === undefined ? undefined : ((await prisma.erasure.findUnique({ where: { id } })) ?? undefined);
}

/** Another worker has taken the erasure over: whoever sees this writes nothing more. */
export class ErasureLostError extends Error {
  override name = 'ErasureLostError';
}

/** Erasures to be enqueued again: they wait without having to, or their worker is gone. */
export async function forgottenErasures({ pool }: Database, limit: number): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from erasures where status = 'queued' and coalesce(retry_at, created_at) < now() - interval '2 seconds'
       or status = 'running' and lease_until < now() order by id limit $1`,
    [limit],
  );
  return rows.map(({ id }) => id);
}

/**
 * Erases what matches, in batches of less than a second, each with its place in the row: a worker that dies leaves the rest to the
 * next one. Writers of the tenant wait for none of them.
 * @param until milliseconds of performance.now()
 * @returns how many events it erased, and whether all is done
 */
export async function eraseInBatches(
  { pool }: Database,
  row: ErasureRow,
  { until, leaseSeconds }: { until: number; leaseSeconds: number },
): Promise<{ erased: number; isDone: boolean }> {
  const filter = parseJson(row.filter) as Filter;
  const through = Math.min(Number(row.asOfSequence), filter.through_sequence ?? Infinity);
  const batch: RemoveBatch = async (sql, rows) => {
    const position = await holdErasure(sql, row, leaseSeconds);
    if (position >= through) return undefined;
    if (!(await lockRemovable(sql, row.tenantId))) {
      throw new FinalError(
        'legal_hold',
        'The tenant was put on legal hold, or is being deleted. What had been erased by then stays erased.',
      );
    }
    const range = { after: position, through: Math.min(position + rows, through) };
    const erasing = row.compartments as Erasable[];
    const { matched, erased, first, last } = await eraseRange(sql, row.tenantId, { filter, erasing, range });
    await sql(
      `update erasures set position = $2::bigint, matched = matched + $3::bigint, erased = erased + $4::bigint,
         first_matched = coalesce(first_matched, $5::bigint), last_matched = coalesce($6::bigint, last_matched) where id = $1::uuid`,
      [row.id, range.through, matched, erased, first, last],
    );
    return erased;
  };
  const { removed: erased, isDone } = await removeInBatches(pool, batch, until);
  return { erased, isDone };
}

/** Locks the row for this run and renews its lease; gives how far it is. @throws ErasureLostError */
async function holdErasure(sql: Sql, { id, epoch }: ErasureRow, leaseSeconds: number): Promise<number> {
  const [held] = await sql<{ position: unknown }>(
    `update erasures set lease_until = now() + make_interval(secs => $3) where id = $1::uuid and epoch = $2 and status = 'running'
     returning position`,
    [id, epoch, leaseSeconds],
  );
  if (!held) throw new ErasureLostError();
  return Number(held.position);
}

/**
 * Has PostgreSQL forget which values of the erased columns are frequent: its statistics name some. Waits a few seconds at most,
 * for whoever else looks after the table.
 */
export async function renewStatistics({ pool }: Pick<Database, 'pool'>, { compartments }: ErasureRow): Promise<void> {
  const columns = erasedColumns(compartments as Erasable[]).join(', ');
  await inTransaction(pool, async (sql) => {
    await sql(`set local lock_timeout = ${statisticsWaitMs}`);
    await sql(`analyze events (${columns})`);
  });
}

const statisticsWaitMs = 5_000;

import { FinalError } from '../../core/errors.ts';
import type { Filter } from '../../core/events/filter.ts';
import { systemEvent } from '../../core/events/new-event.ts';
import type { Erasable } from '../../core/evidence/erasure-request.ts';
import { parseJson } from '../../core/json/json.ts';
import type { Upload } from '../../core/storage/object-store.ts';
import { type Database, type Prisma, type PrismaTransaction, prismaSql, type Sql } from '../client.ts';
import { appendEvents, inChainOrder } from '../events/append.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import { announce } from '../exports/end.ts';
import { lockRemovable } from '../removal/expiry.ts';
import { type RemoveBatch, removeInBatches } from '../removal/in-batches.ts';
import { recordDeliveries } from '../webhooks.ts';
import { eraseRange } from './erase-rows.ts';
import { type ErasureRow, erasureView } from './find.ts';

/** Any number that nothing else locks. */
const claimLock = 4_242_002;

/**
 * Claims the erasure that has waited longest, or whose worker has been silent for longer than its lease. One of a tenant runs at
 * a time: each makes proofs from rows as it reads them.
 */
export async function claimErasure({ runs, prisma }: Database, leaseSeconds: number): Promise<ErasureRow | undefined> {
  const results = await runs.query(`
    select pg_advisory_xact_lock(${claimLock});
    update erasures set status = 'running', epoch = epoch + 1, retry_at = null, error = null,
      lease_until = now() + make_interval(secs => ${Math.ceil(leaseSeconds)})
    where id = (
      select id from erasures e
      where (status = 'queued' and coalesce(retry_at <= now(), true) or status = 'running' and lease_until < now())
        and not exists (select from erasures o where o.tenant_id = e.tenant_id and o.id <> e.id and o.status = 'running'
          and o.lease_until >= now())
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
 * @returns whether all is done
 */
export async function eraseInBatches(
  { pool }: Database,
  row: ErasureRow,
  { until, leaseSeconds }: { until: number; leaseSeconds: number },
) {
  const filter = parseJson(row.filter) as Filter;
  const through = Math.min(Number(row.asOfSequence), filter.through_sequence ?? Infinity);
  const batch: RemoveBatch = async (sql, rows) => {
    const position = await holdErasure(sql, row, leaseSeconds);
    if (position >= through) return undefined;
    if (!(await lockRemovable(sql, row.tenantId))) {
      throw new FinalError(
        'legal_hold',
        'The tenant was put on legal hold. What had been erased by then stays erased.',
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
  return (await removeInBatches(pool, batch, until)).isDone;
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

/** What is to be done once an erasure has ended. */
export type ErasureEnd = { deliveries: string[]; restarted: string[]; uploads: Upload[]; expired: string[] };

/**
 * Ends an erasure: exports that run or have parts stored start again, those whose files may hold what went are named, its filter
 * loses its values, and log and webhooks are told.
 * @throws ErasureLostError
 */
export function completeErasure(prisma: Prisma, { id, epoch, tenantId }: ErasureRow): Promise<ErasureEnd> {
  const end = async (tx: PrismaTransaction): Promise<ErasureEnd> => {
    const sql = prismaSql(tx);
    // Before the head of the chain, as whoever cancels an export locks them in this order.
    const { restarted, uploads } = await restartExports(sql, tenantId);
    const row = await tx.erasure.findFirst({ where: { id, epoch, status: 'running' } });
    if (!row) throw new ErasureLostError();
    const files = await exportsWithFiles(sql, row);
    const deliveries: string[] = [];
    if (row.deleteFiles) {
      for (const exportId of files) {
        const [expired] = await tx.export.updateManyAndReturn({
          where: { id: exportId, status: 'completed' },
          data: { status: 'expired' },
        });
        if (expired) deliveries.push(...(await announce(tx, expired)));
      }
    }
    const filter = JSON.stringify(withoutValues(row.filter));
    const { count } = await tx.erasure.updateMany({
      where: { id, epoch, status: 'running' },
      data: { status: 'completed', completedAt: new Date(), leaseUntil: null, exports: files, filter },
    });
    if (count === 0) throw new ErasureLostError();
    const done = await tx.erasure.findUniqueOrThrow({ where: { id } });
    deliveries.push(
      ...(await recordDeliveries(tx, { tenantId, exportId: null, type: 'erasure.completed', data: erasureView(done) })),
    );
    await tell(sql, done);
    return { deliveries, restarted, uploads, expired: row.deleteFiles ? files : [] };
  };
  return inChainOrder(tenantId, () => prisma.$transaction(end));
}

/** Ends an erasure that cannot go on. @throws ErasureLostError */
export async function failErasure(
  prisma: Prisma,
  { id, epoch, filter }: ErasureRow,
  error: { code: string; message: string },
) {
  const { count } = await prisma.erasure.updateMany({
    where: { id, epoch, status: 'running' },
    data: {
      status: 'failed',
      completedAt: new Date(),
      leaseUntil: null,
      error: { ...error, retryable: false },
      filter: JSON.stringify(withoutValues(filter)),
    },
  });
  if (count === 0) throw new ErasureLostError();
}

/** Puts it back into the queue: after a failure, which counts, or to go on at once. */
export async function requeueErasure(prisma: Prisma, { id, epoch }: ErasureRow, failedUntil?: Date): Promise<void> {
  await prisma.erasure.updateMany({
    where: { id, epoch, status: 'running' },
    data: {
      status: 'queued',
      leaseUntil: null,
      ...(failedUntil && { failures: { increment: 1 }, retryAt: failedUntil }),
    },
  });
}

const withoutValues = (filter: string): Record<string, null> =>
  Object.fromEntries(Object.keys(parseJson(filter) as object).map((member) => [member, null]));

/** Exports that run have rows in their hands, and parts that are stored may hold what was erased. */
async function restartExports(sql: Sql, tenantId: string): Promise<Pick<ErasureEnd, 'restarted' | 'uploads'>> {
  const rows = await sql<{ id: string; key: string; uploadId: string | null }>(
    `update exports e set status = 'queued', epoch = e.epoch + 1, lease_until = null, upload_id = null
     from exports old where old.id = e.id and e.tenant_id = $1::uuid and (e.status = 'running'
       or e.status = 'queued' and exists (select from checkpoints c where c.export_id = e.id))
     returning e.id::text as id, old.storage_key as key, old.upload_id as "uploadId"`,
    [tenantId],
  );
  const restarted = rows.map(({ id }) => id);
  await sql('delete from checkpoints where export_id in (select value::uuid from json_array_elements_text($1::json))', [
    JSON.stringify(restarted),
  ]);
  return { restarted, uploads: rows.flatMap(({ key, uploadId }) => (uploadId === null ? [] : [{ key, uploadId }])) };
}

/** Completed exports whose files span something that matched. */
async function exportsWithFiles(sql: Sql, row: ErasureRow): Promise<string[]> {
  if (row.firstMatched === null || row.lastMatched === null) return [];
  const rows = await sql<{ id: string }>(
    `select id::text as id from exports where tenant_id = $1::uuid and status = 'completed' and file_deleted_at is null
       and as_of_sequence >= $2::bigint and rows_after < $3::bigint order by id`,
    [row.tenantId, Number(row.firstMatched), Number(row.lastMatched)],
  );
  return rows.map(({ id }) => id);
}

/** Counts and names, and no value of what went. */
async function tell(
  sql: Sql,
  { id, tenantId, compartments, reason, matched, erased, createdBy }: ErasureRow,
): Promise<void> {
  const metadata = { erasure_id: id, compartments, reason, matched: Number(matched), erased: Number(erased) };
  const by = createdBy as AuditContext;
  const target = { type: 'erasure', id };
  await appendEvents(sql, tenantId, [systemEvent({ action: 'logferry.events.erased', ...by, target, metadata })]);
}

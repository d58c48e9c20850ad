import { systemEvent } from '../../core/events/new-event.ts';
import { parseJson } from '../../core/json/json.ts';
import type { Upload } from '../../core/storage/object-store.ts';
import { databaseTime, type Prisma, type PrismaTransaction, prismaSql, type Sql } from '../client.ts';
import { appendEvents, inChainOrder } from '../events/append.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import { announce } from '../exports/end.ts';
import { queuedProgress } from '../exports/view.ts';
import { recordDeliveries } from '../webhooks.ts';
import { type ErasureRow, erasureView } from './find.ts';
import { ErasureLostError } from './run.ts';

/** What is to be done once an erasure has ended: ids, those of exports whose files are to be deleted with their keys. */
export type ErasureEnd = {
  deliveries: string[];
  restarted: string[];
  uploads: Upload[];
  files: { id: string; storageKey: string }[];
};

type Outcome = { status: 'completed' } | { status: 'failed'; error: { code: string; message: string } };

/**
 * Ends an erasure, as done or as one that cannot go on: exports that run or have parts stored start again, those whose files
 * may hold what went are named, its filter loses its values, and log and webhooks are told. Files are deleted only once all
 * is done.
 * @throws ErasureLostError
 */
export function endErasure(prisma: Prisma, { id, epoch, tenantId }: ErasureRow, outcome: Outcome): Promise<ErasureEnd> {
  const end = async (tx: PrismaTransaction): Promise<ErasureEnd> => {
    const sql = prismaSql(tx);
    // Before the head of the chain, as whoever cancels an export locks them in this order.
    const { restarted, uploads } = await restartExports(sql, tenantId);
    const row = await tx.erasure.findFirst({ where: { id, epoch, status: 'running' } });
    if (!row) throw new ErasureLostError();
    const exports = await exportsWithFiles(sql, row);
    const isDeleting = row.deleteFiles && outcome.status === 'completed';
    const { files, deliveries } = isDeleting ? await expire(tx, exports) : { files: [], deliveries: [] };
    const done = await writeEnd(tx, row, { outcome, exports });
    if (outcome.status === 'completed') {
      const news = { tenantId, exportId: null, type: 'erasure.completed' as const, data: erasureView(done) };
      deliveries.push(...(await recordDeliveries(tx, news)));
    }
    await tell(sql, done);
    return { deliveries, restarted, uploads, files };
  };
  return inChainOrder(tenantId, () => prisma.$transaction(end));
}

async function writeEnd(
  tx: PrismaTransaction,
  { id, epoch, filter }: ErasureRow,
  { outcome, exports }: { outcome: Outcome; exports: string[] },
): Promise<ErasureRow> {
  const { count } = await tx.erasure.updateMany({
    where: { id, epoch, status: 'running' },
    data: {
      status: outcome.status,
      ...(outcome.status === 'failed' && { error: { ...outcome.error, retryable: false } }),
      completedAt: await databaseTime(tx),
      leaseUntil: null,
      exports,
      filter: JSON.stringify(withoutValues(filter)),
    },
  });
  if (count === 0) throw new ErasureLostError();
  return tx.erasure.findUniqueOrThrow({ where: { id } });
}

const withoutValues = (filter: string): Record<string, null> =>
  Object.fromEntries(Object.keys(parseJson(filter) as object).map((member) => [member, null]));

/** Puts it back into the queue: after a failure, which counts, or to go on at once. */
export async function requeueErasure(prisma: Prisma, { id, epoch }: ErasureRow, delayMs?: number): Promise<void> {
  const failed = delayMs !== undefined && {
    failures: { increment: 1 },
    retryAt: new Date((await databaseTime(prisma)).getTime() + delayMs),
  };
  await prisma.erasure.updateMany({
    where: { id, epoch, status: 'running' },
    data: { status: 'queued', leaseUntil: null, ...failed },
  });
}

/** Exports that run have rows in their hands, and parts that are stored may hold what was erased. */
async function restartExports(sql: Sql, tenantId: string): Promise<Pick<ErasureEnd, 'restarted' | 'uploads'>> {
  const rows = await sql<{ id: string; key: string; uploadId: string | null }>(
    `update exports e set status = 'queued', epoch = e.epoch + 1, lease_until = null, upload_id = null, reserved_bytes = 0,
       progress = $2::json
     from exports old where old.id = e.id and e.tenant_id = $1::uuid and e.cancel_requested_at is null
       and (e.status = 'running' or e.status = 'queued' and exists (select from checkpoints c where c.export_id = e.id))
     returning e.id::text as id, old.storage_key as key, old.upload_id as "uploadId"`,
    [tenantId, JSON.stringify(queuedProgress)],
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

/** Ends the life of files of completed exports. */
async function expire(tx: PrismaTransaction, ids: string[]): Promise<Pick<ErasureEnd, 'files' | 'deliveries'>> {
  const end: Pick<ErasureEnd, 'files' | 'deliveries'> = { files: [], deliveries: [] };
  for (const id of ids) {
    const [expired] = await tx.export.updateManyAndReturn({
      where: { id, status: 'completed' },
      data: { status: 'expired' },
    });
    if (!expired) continue;
    end.files.push({ id, storageKey: expired.storageKey });
    end.deliveries.push(...(await announce(tx, expired)));
  }
  return end;
}

/** Counts and names, and no value of what went. The log of a tenant that is being deleted has no end to append to. */
async function tell(sql: Sql, row: ErasureRow): Promise<void> {
  const { id, tenantId, compartments, reason, status } = row;
  const [head] = await sql('select from chain_heads where tenant_id = $1::uuid for update', [tenantId]);
  if (!head || (status === 'failed' && row.erased === 0n)) return;
  const counts = { matched: Number(row.matched), erased: Number(row.erased) };
  const metadata = { erasure_id: id, compartments, reason, status, ...counts };
  const by = row.createdBy as AuditContext;
  const target = { type: 'erasure', id };
  await appendEvents(sql, tenantId, [systemEvent({ action: 'logferry.events.erased', ...by, target, metadata })]);
}

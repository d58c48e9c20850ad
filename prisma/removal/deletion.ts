import { formatTimestamp } from '../../core/times.ts';
import type { Database, Prisma } from '../client.ts';
import { managementLogId, recorded } from '../control-log.ts';
import type { TenantRow } from '../tenants.ts';
import type { Deletion } from './begin-deletion.ts';
import { type RemoveBatch, removeEventsThrough, removeInBatches, removeRowsOf } from './in-batches.ts';

/** Tenants that are being deleted, the one that has waited longest first. */
export const deletingTenants = (prisma: Prisma, limit: number): Promise<TenantRow[]> =>
  prisma.tenant.findMany({ where: { status: 'deleting' }, orderBy: { id: 'asc' }, take: limit });

/**
 * Ends exports of the tenant, up to so many: those that wait, and those whose worker is gone, at once; of the others the
 * workers are told, who end them within seconds.
 * @returns how many it canceled, and whether some have not ended
 */
export async function cancelExportsOf({ pool }: Database, tenantId: string, limit: number) {
  const { rowCount } = await pool.query(
    `update exports set status = 'canceled', epoch = epoch + 1, completed_at = now(), lease_until = null,
       cancel_requested_at = coalesce(cancel_requested_at, now())
     where id in (select id from exports where tenant_id = $1
       and (status = 'queued' or status = 'running' and coalesce(lease_until < now(), true))
       order by id limit $2 for update skip locked)`,
    [tenantId, limit],
  );
  await pool.query(
    `update exports set cancel_requested_at = now()
     where tenant_id = $1 and status = 'running' and cancel_requested_at is null`,
    [tenantId],
  );
  const { rows } = await pool.query<{ left: boolean }>(
    `select exists (select from exports where tenant_id = $1 and status in ('queued', 'running')) as left`,
    [tenantId],
  );
  return { canceled: rowCount ?? 0, areLeft: rows[0]!.left };
}

/** What is kept in the storage for ended exports of the tenant, and where: files, and uploads that have not ended. */
export const storedFor = (prisma: Prisma, tenantId: string, limit: number) =>
  prisma.export.findMany({
    where: {
      tenantId,
      OR: [{ uploadId: { not: null } }, { fileDeletedAt: null, status: { in: ['completed', 'expired'] } }],
    },
    select: { id: true, storageKey: true, uploadId: true },
    take: limit,
  });

/** Says that nothing of these exports is in the storage any more. */
export async function markNothingStored(prisma: Prisma, ids: string[]): Promise<void> {
  await prisma.export.updateMany({
    where: { id: { in: ids } },
    data: { status: 'expired', uploadId: null, fileDeletedAt: new Date() },
  });
}

const checkpointsOf =
  (tenantId: string): RemoveBatch =>
  async (sql, rows) => {
    const [gone] = await sql<{ count: unknown }>(
      `with gone as (delete from checkpoints where ctid in (select c.ctid from exports e
           join checkpoints c on c.export_id = e.id where e.tenant_id = $1::uuid limit $2) returning 1)
       select count(*) as count from gone`,
      [tenantId, rows],
    );
    return Number(gone!.count) || undefined;
  };

/** Those of which nothing is stored, with their receipts. */
const exportsOf =
  (tenantId: string): RemoveBatch =>
  async (sql, rows) => {
    const [gone] = await sql<{ count: unknown }>(
      `with gone as (delete from exports where id in (select id from exports where tenant_id = $1::uuid
           and status not in ('queued', 'running') and upload_id is null
           and (file_deleted_at is not null or status in ('failed', 'canceled')) limit $2) returning 1)
       select count(*) as count from gone`,
      [tenantId, rows],
    );
    return Number(gone!.count) || undefined;
  };

/**
 * Removes the rows of a tenant whose exports have ended and whose files are gone, but for its own, in batches until `until`
 * (milliseconds of performance.now()). A foreign key that cascades would do it all in one transaction, of hours.
 * @returns how many events went, and whether all is gone
 */
export async function removeRowsOfTenant({ pool }: Database, { id, deletion }: TenantRow, until: number) {
  const { last_sequence } = deletion as Deletion;
  const before = [
    ...(['deliveries', 'news', 'webhooks', 'idempotency_keys', 'open_streams', 'erasures'] as const).map((table) =>
      removeRowsOf(table, id),
    ),
    checkpointsOf(id),
    exportsOf(id),
  ];
  let isDone = true;
  const remove = async (batch: RemoveBatch): Promise<number> => {
    const done = await removeInBatches(pool, batch, until);
    isDone &&= done.isDone;
    return done.removed;
  };
  for (const each of before) await remove(each);
  const events = await remove(removeEventsThrough(id, last_sequence));
  await remove(removeRowsOf('log_tiles', id));
  await remove(removeRowsOf('api_keys', id));
  return { events, isDone };
}

/** Ends a tenant of which nothing else is left: its ids are free, and the management's log says so. Quiet if it is gone. */
export async function finishDeletion(prisma: Prisma, tenant: TenantRow): Promise<void> {
  const { by, requested_at, events } = tenant.deletion as Deletion;
  const { id, name, externalId, plan, createdAt } = tenant;
  await recorded(prisma, { log: managementLogId, by }, async (tx, record) => {
    const { count } = await tx.tenant.deleteMany({ where: { id, status: 'deleting' } });
    if (count === 0) return;
    const about = { name, external_id: externalId, plan, created_at: formatTimestamp(createdAt) };
    record({
      action: 'logferry.tenant.deleted',
      target: { type: 'tenant', id },
      metadata: { ...about, requested_at, events },
    });
  });
}

import { AppError, notFound } from '../../core/errors.ts';
import { isUuid } from '../../core/ids.ts';
import { databaseTime, type Prisma, type PrismaTransaction } from '../client.ts';
import { inChainOrder } from '../events/append.ts';
import { recordDeliveries } from '../webhooks.ts';
import { type AuditContext, recordAudit } from './audit.ts';
import { isFinal } from './find.ts';
import { type ExportRow, exportView, withShortFilter } from './view.ts';

/** `ended` says what this call has made of the export, if it was this call that ended it or its file. */
export type Ending = { row: ExportRow; deliveries: string[]; ended?: 'canceled' | 'expired' };

/**
 * Asks for the end of an export. A queued one, or one whose worker is gone, is canceled at once; a running one when its
 * worker hears of it, within seconds.
 * @returns ids of the deliveries to enqueue
 * @throws AppError conflict if it had ended
 */
export async function cancelExport(prisma: Prisma, tenantId: string, id: string, by: AuditContext): Promise<Ending> {
  const end = async (tx: PrismaTransaction) => {
    const row = await lockExport(tx, tenantId, id);
    if (isFinal(row.status)) throw new AppError('conflict', `The export has ended already: it is ${row.status}.`);
    const ended = await cancelLocked(tx, row);
    if (!row.cancelRequestedAt) await recordAudit(tx, row, 'canceled', by);
    return ended;
  };
  return inChainOrder(tenantId, () => prisma.$transaction(end));
}

async function cancelLocked(tx: PrismaTransaction, row: ExportRow): Promise<Ending> {
  const now = await databaseTime(tx);
  const isHeld = row.status === 'running' && row.leaseUntil !== null && row.leaseUntil > now;
  if (isHeld) {
    const asked = await tx.export.update({
      where: { id: row.id },
      data: { cancelRequestedAt: row.cancelRequestedAt ?? now },
    });
    return { row: asked, deliveries: [] };
  }
  const canceled = await tx.export.update({
    where: { id: row.id },
    data: {
      status: 'canceled',
      epoch: { increment: 1 },
      completedAt: now,
      cancelRequestedAt: row.cancelRequestedAt ?? now,
    },
  });
  return { row: canceled, deliveries: await announce(tx, canceled), ended: 'canceled' };
}

/**
 * What DELETE does to the record: an unfinished export is canceled, a completed one becomes expired. The caller removes
 * the file of an expired one and then says so with markFileDeleted().
 */
export async function deleteExport(prisma: Prisma, tenantId: string, id: string, by: AuditContext): Promise<Ending> {
  const end = async (tx: PrismaTransaction) => {
    const row = await lockExport(tx, tenantId, id);
    if (row.status === 'failed' || row.status === 'canceled' || row.status === 'expired')
      return { row, deliveries: [] };
    const ended = row.status === 'completed' ? await expireLocked(tx, row) : await cancelLocked(tx, row);
    if (!row.cancelRequestedAt) await recordAudit(tx, row, 'deleted', by);
    return ended;
  };
  return inChainOrder(tenantId, () => prisma.$transaction(end));
}

async function expireLocked(tx: PrismaTransaction, row: ExportRow): Promise<Ending> {
  const expired = await tx.export.update({ where: { id: row.id }, data: { status: 'expired' } });
  return { row: expired, deliveries: await announce(tx, expired), ended: 'expired' };
}

/** Ends the life of a completed export's file; undefined if somebody else has. */
export async function expireExport(
  prisma: Prisma,
  id: string,
): Promise<{ row: ExportRow; deliveries: string[] } | undefined> {
  return prisma.$transaction(async (tx) => {
    const { count } = await tx.export.updateMany({ where: { id, status: 'completed' }, data: { status: 'expired' } });
    if (count === 0) return undefined;
    const row = await tx.export.findUniqueOrThrow({ where: { id } });
    return { row, deliveries: await announce(tx, row) };
  });
}

export async function markFileDeleted(prisma: Prisma, id: string): Promise<void> {
  await prisma.export.updateMany({ where: { id, fileDeletedAt: null }, data: { fileDeletedAt: new Date() } });
}

/** One delivery for each webhook that listens to what the export has become. */
export const announce = async (tx: PrismaTransaction, row: ExportRow): Promise<string[]> =>
  recordDeliveries(tx, {
    tenantId: row.tenantId,
    exportId: row.id,
    type: `export.${row.status}`,
    data: exportView(withShortFilter(row), { now: await databaseTime(tx) }),
  });

async function lockExport(tx: PrismaTransaction, tenantId: string, id: string): Promise<ExportRow> {
  if (!isUuid(id)) throw notFound('export');
  const found = await tx.$queryRaw<
    object[]
  >`select 1 from exports where id = ${id}::uuid and tenant_id = ${tenantId}::uuid for update`;
  if (found.length === 0) throw notFound('export');
  return tx.export.findUniqueOrThrow({ where: { id } });
}

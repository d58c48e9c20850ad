import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/canonical-json.ts';
import { AppError, notFound } from '../core/errors.ts';
import { contentOf, downloadName, type ExportRequest, objectKey } from '../core/exports.ts';
import { isUuid, newId } from '../core/ids.ts';
import { type NewEvent, readNewEvent } from '../core/new-event.ts';
import { formatTimestamp } from '../core/times.ts';
import { type Prisma, type PrismaTransaction, prismaSql } from './client.ts';
import { appendEvents, lockChainHead } from './events.ts';
import { type ExportRow, exportView, queuedProgress } from './export-view.ts';
import { isResumable } from './segments.ts';
import { createExportWebhook, recordDeliveries } from './webhooks.ts';

/** Who did it and from where, for the tenant's audit log. */
export type AuditContext = {
  actor: { id: string | null; type: string; name: string | null };
  context: { ip: string | null; user_agent: string | null };
};

export type NewExport = {
  request: ExportRequest;
  by: AuditContext;
  segmentRows: number;
  idempotencyKey?: string;
  sealedWebhookSecret?: Buffer<ArrayBuffer>;
};

/** Hours that an Idempotency-Key is remembered. */
export const idempotencyHours = 24;

const transactionLimits = { maxWait: 10_000, timeout: 30_000 };
export const finalStatuses = ['completed', 'failed', 'canceled', 'expired'] as const;
export const isFinal = (status: ExportRow['status']): boolean => finalStatuses.some((final) => final === status);

/**
 * Writes an export as queued, bounded by the tenant's sequence number of this moment: the bound, the row, its idempotency
 * key, its webhook and the audit event are one transaction. The audit event comes after the bound, so it is not in the file.
 * @returns `replayed` with the first export if the idempotency key was used for the same request before
 * @throws AppError idempotency_mismatch if it was used for another request
 */
export async function createExport(
  prisma: Prisma,
  tenantId: string,
  input: NewExport,
): Promise<{ row: ExportRow; replayed: boolean }> {
  const fingerprint = createHash('sha256')
    .update(canonicalJson(JSON.parse(JSON.stringify(input.request))))
    .digest();
  return prisma.$transaction(async (tx) => {
    // The lock also makes requests with the same key wait for each other.
    const head = await lockChainHead(prismaSql(tx), tenantId);
    const earlier = input.idempotencyKey && (await findRepeated(tx, tenantId, input.idempotencyKey, fingerprint));
    if (earlier) return { row: earlier, replayed: true };
    const row = await insertExport(tx, tenantId, head.sequenceNumber, input);
    if (input.idempotencyKey) await rememberKey(tx, tenantId, input.idempotencyKey, fingerprint, row.id);
    if (input.request.webhook && input.sealedWebhookSecret) {
      await createExportWebhook(tx, {
        tenantId,
        exportId: row.id,
        url: input.request.webhook.url,
        sealedSecret: input.sealedWebhookSecret,
      });
    }
    await audit(tx, row, 'created', input.by);
    return { row, replayed: false };
  }, transactionLimits);
}

function insertExport(
  tx: PrismaTransaction,
  tenantId: string,
  asOfSequence: number,
  input: NewExport,
): Promise<ExportRow> {
  const { webhook: _webhook, ...request } = input.request;
  const content = contentOf(input.request);
  const id = newId();
  const createdAt = new Date();
  return tx.export.create({
    data: {
      id,
      tenantId,
      status: 'queued',
      request: request as object,
      fileName: downloadName(content, formatTimestamp(createdAt), request.file_name),
      createdBy: input.by as object,
      asOf: createdAt,
      asOfSequence: BigInt(asOfSequence),
      resumable: isResumable(content),
      segmentRows: input.segmentRows,
      storageKey: objectKey(tenantId, id, content),
      progress: queuedProgress,
      createdAt,
    },
  });
}

async function findRepeated(
  tx: PrismaTransaction,
  tenantId: string,
  key: string,
  fingerprint: Buffer,
): Promise<ExportRow | null> {
  const since = new Date(Date.now() - idempotencyHours * 3_600_000);
  const found = await tx.idempotencyKey.findFirst({ where: { tenantId, key, createdAt: { gt: since } } });
  if (!found) return null;
  if (!fingerprint.equals(found.fingerprint)) {
    throw new AppError(
      'idempotency_mismatch',
      'This Idempotency-Key was used for another request within the last 24 hours. Use a new key, or send the first body again.',
    );
  }
  return tx.export.findUnique({ where: { id: found.exportId } });
}

async function rememberKey(
  tx: PrismaTransaction,
  tenantId: string,
  key: string,
  fingerprint: Buffer<ArrayBuffer>,
  exportId: string,
): Promise<void> {
  const data = { fingerprint, exportId, createdAt: new Date() };
  await tx.idempotencyKey.upsert({
    where: { tenantId_key: { tenantId, key } },
    create: { tenantId, key, ...data },
    update: data,
  });
}

/** @throws AppError not_found for a missing export and another tenant's alike */
export async function getExport(prisma: Prisma, tenantId: string, id: string): Promise<ExportRow> {
  const row = isUuid(id) ? await prisma.export.findFirst({ where: { tenantId, id } }) : null;
  if (!row) throw notFound('export');
  return row;
}

/** The tenant's last sequence number: the bound of an export made now. */
export async function getHeadSequence(prisma: Prisma, tenantId: string): Promise<number> {
  const head = await prisma.chainHead.findUniqueOrThrow({ where: { tenantId } });
  return Number(head.sequenceNumber);
}

/** Newest first; up to limit + 1 rows, so that the caller sees whether there are more. */
export function listExports(
  prisma: Prisma,
  tenantId: string,
  page: { limit: number; before?: string; status?: ExportRow['status'][] },
): Promise<ExportRow[]> {
  return prisma.export.findMany({
    where: {
      tenantId,
      ...(page.before ? { id: { lt: page.before } } : {}),
      ...(page.status ? { OR: page.status.map(shownAs) } : {}),
    },
    orderBy: { id: 'desc' },
    take: page.limit + 1,
  });
}

/** The rows that exportView() shows with this status: a file may have outlived its time before the sweep came. */
function shownAs(status: ExportRow['status']) {
  const now = new Date();
  if (status === 'completed') return { status, expiresAt: { gt: now } };
  if (status === 'expired') return { OR: [{ status }, { status: 'completed' as const, expiresAt: { lte: now } }] };
  return { status };
}

/**
 * Asks for the end of an export. A queued one, or one whose worker is gone, is canceled at once; a running one when its
 * worker hears of it, within seconds.
 * @returns ids of the deliveries to ring for
 * @throws AppError conflict if it had ended
 */
export async function cancelExport(
  prisma: Prisma,
  tenantId: string,
  id: string,
  by: AuditContext,
): Promise<{ row: ExportRow; deliveries: string[] }> {
  return prisma.$transaction(async (tx) => {
    const row = await lockExport(tx, tenantId, id);
    if (isFinal(row.status)) throw new AppError('conflict', `The export has ended already: it is ${row.status}.`);
    const ended = await cancelLocked(tx, row);
    if (!row.cancelRequestedAt) await audit(tx, row, 'canceled', by);
    return ended;
  }, transactionLimits);
}

async function cancelLocked(tx: PrismaTransaction, row: ExportRow): Promise<{ row: ExportRow; deliveries: string[] }> {
  const now = new Date();
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
  return { row: canceled, deliveries: await announce(tx, canceled) };
}

/**
 * What DELETE does to the record: an unfinished export is canceled, a completed one becomes expired. The caller removes
 * the file of an expired one and then says so with markFileDeleted().
 */
export async function deleteExport(
  prisma: Prisma,
  tenantId: string,
  id: string,
  by: AuditContext,
): Promise<{ row: ExportRow; deliveries: string[] }> {
  return prisma.$transaction(async (tx) => {
    const row = await lockExport(tx, tenantId, id);
    if (row.status === 'failed' || row.status === 'canceled' || row.status === 'expired')
      return { row, deliveries: [] };
    const ended = row.status === 'completed' ? await expireLocked(tx, row) : await cancelLocked(tx, row);
    await audit(tx, row, 'deleted', by);
    return ended;
  }, transactionLimits);
}

async function expireLocked(tx: PrismaTransaction, row: ExportRow): Promise<{ row: ExportRow; deliveries: string[] }> {
  const expired = await tx.export.update({ where: { id: row.id }, data: { status: 'expired' } });
  return { row: expired, deliveries: await announce(tx, expired) };
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
  }, transactionLimits);
}

export async function markFileDeleted(prisma: Prisma, id: string): Promise<void> {
  await prisma.export.updateMany({ where: { id, fileDeletedAt: null }, data: { fileDeletedAt: new Date() } });
}

/** Writes a download into the tenant's audit log. */
export async function recordDownload(prisma: Prisma, row: ExportRow, by: AuditContext): Promise<void> {
  await prisma.$transaction((tx) => audit(tx, row, 'downloaded', by), transactionLimits);
}

/** One delivery for each webhook that listens to what the export has become. */
export const announce = (tx: PrismaTransaction, row: ExportRow): Promise<string[]> =>
  recordDeliveries(tx, {
    tenantId: row.tenantId,
    exportId: row.id,
    type: `export.${row.status}`,
    data: exportView(row),
  });

async function lockExport(tx: PrismaTransaction, tenantId: string, id: string): Promise<ExportRow> {
  if (!isUuid(id)) throw notFound('export');
  const found = await tx.$queryRaw<
    object[]
  >`select 1 from exports where id = ${id}::uuid and tenant_id = ${tenantId}::uuid for update`;
  if (found.length === 0) throw notFound('export');
  return tx.export.findUniqueOrThrow({ where: { id } });
}

async function audit(
  tx: PrismaTransaction,
  row: ExportRow,
  verb: 'created' | 'downloaded' | 'canceled' | 'deleted',
  by: AuditContext,
): Promise<void> {
  await appendEvents(prismaSql(tx), row.tenantId, [auditEvent(row, verb, by)]);
}

function auditEvent(row: ExportRow, verb: string, by: AuditContext): NewEvent {
  const { format, compression, filter, properties } = row.request as unknown as ExportRequest;
  const read = readNewEvent({
    action: `logferry.export.${verb}`,
    actor: by.actor,
    context: by.context,
    target: { type: 'export', id: row.id },
    metadata: { format, compression, filter, columns: properties.length, as_of_sequence: Number(row.asOfSequence) },
  });
  if ('errors' in read) throw new Error(`The audit event is not valid: ${JSON.stringify(read.errors)}`);
  return read.event;
}

import { createHash } from 'node:crypto';
import { contentOf, type ExportRequest } from '../../core/exports/exports.ts';
import { type PlanLimits, refuseBeyond } from '../../core/exports/plan-limits.ts';
import { downloadName, objectKey } from '../../core/exports/stored-file.ts';
import { newId } from '../../core/ids.ts';
import { canonicalJson } from '../../core/json/canonical-json.ts';
import { parseJson } from '../../core/json/json.ts';
import { formatTimestamp } from '../../core/times.ts';
import { databaseTime, type Prisma, type PrismaTransaction, prismaSql } from '../client.ts';
import { inChainOrder, lockChainHead } from '../events/append.ts';
import { logBeginning } from '../events/beginning.ts';
import { isResumable } from '../rows/segments.ts';
import { createExportWebhook } from '../webhooks.ts';
import { type AuditContext, recordAudit } from './audit.ts';
import { refuseAheadOf } from './find.ts';
import { findIdempotencyKey, rememberIdempotencyKey } from './idempotency.ts';
import { storeLimitReached } from './store-room.ts';
import { readUsage } from './usage.ts';
import { type ExportRow, queuedProgress } from './view.ts';

export type NewExport = {
  request: ExportRequest;
  by: AuditContext;
  /** What decides, besides the request, which bytes the file has and how it is cut: kept for all its runs. */
  layout: { segmentRows: number; partBytes: number; maxParts: number };
  /** To be kept; left out where the tenant is known to be far from them. */
  limits?: PlanLimits;
  /** Whether all files together reach what may be stored: then nothing new is begun. */
  storeIsFull?: boolean;
  idempotencyKey?: string;
  sealedWebhookSecret?: Buffer<ArrayBuffer>;
};

/**
 * Writes an export as queued, bounded by the tenant's sequence number of this moment: the bound, the row, its idempotency
 * key, its webhook and the audit event are one transaction. The audit event comes after the bound, so it is not in the file.
 * @returns `replayed` with the first export if the idempotency key was used for the same request before
 * @throws AppError idempotency_mismatch if it was used for another request; plan_limit_exceeded; unavailable if the store is full
 */
export async function createExport(
  prisma: Prisma,
  tenantId: string,
  input: NewExport,
): Promise<{ row: ExportRow; replayed: boolean }> {
  const fingerprint = createHash('sha256')
    .update(canonicalJson(parseJson(JSON.stringify(input.request))))
    .digest();
  const create = async (tx: PrismaTransaction) => {
    // The lock also makes requests with the same key wait for each other.
    const head = await lockChainHead(prismaSql(tx), tenantId);
    const use = input.idempotencyKey === undefined ? undefined : { tenantId, key: input.idempotencyKey, fingerprint };
    const earlier = use && (await findIdempotencyKey(tx, use));
    const made = earlier?.exportId && (await tx.export.findUnique({ where: { id: earlier.exportId } }));
    if (made) return { row: made, replayed: true };
    if (input.storeIsFull) throw storeLimitReached();
    refuseAheadOf(head.sequenceNumber, input.request.filter.after_sequence);
    // Under the lock, so that no two exports both take the last that is left.
    if (input.limits) refuseBeyond(input.limits, await readUsage(prismaSql(tx), tenantId, Date.now()), Date.now());
    const row = await insertExport(
      tx,
      tenantId,
      { ...head, begins: await logBeginning(prismaSql(tx), tenantId) },
      input,
    );
    if (use) await rememberIdempotencyKey(tx, use, { exportId: row.id });
    if (input.request.webhook && input.sealedWebhookSecret) {
      await createExportWebhook(tx, {
        tenantId,
        exportId: row.id,
        url: input.request.webhook.url,
        sealedSecret: input.sealedWebhookSecret,
      });
    }
    await recordAudit(tx, row, 'created', input.by);
    return { row, replayed: false };
  };
  return inChainOrder(tenantId, () => prisma.$transaction(create));
}

async function insertExport(
  tx: PrismaTransaction,
  tenantId: string,
  { sequenceNumber, begins }: { sequenceNumber: number; begins: number },
  input: NewExport,
): Promise<ExportRow> {
  const { webhook: _webhook, ...request } = input.request;
  const content = contentOf(input.request);
  const { after_sequence: after = 0 } = content.filter;
  const id = newId();
  const createdAt = await databaseTime(tx);
  return tx.export.create({
    data: {
      id,
      tenantId,
      status: 'queued',
      request: JSON.stringify(request),
      fileName: downloadName(content, formatTimestamp(createdAt), request.file_name),
      createdBy: input.by as object,
      asOf: createdAt,
      asOfSequence: BigInt(sequenceNumber),
      rowsAfter: BigInt(Math.max(begins, after)),
      expiredThrough: after < begins ? BigInt(begins) : null,
      resumable: isResumable(content),
      ...input.layout,
      storageKey: objectKey(tenantId, id, content),
      progress: queuedProgress,
      createdAt,
    },
  });
}

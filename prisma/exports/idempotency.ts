import { AppError } from '../../core/errors.ts';
import type { PrismaTransaction } from '../client.ts';
import type { IdempotencyKey } from '../generated/client.ts';

/** Hours that an Idempotency-Key is remembered. */
export const idempotencyHours = 24;

/** A key of a tenant, and the SHA-256 of the request that it was used for. */
export type KeyUse = { tenantId: string; key: string; fingerprint: Buffer<ArrayBuffer> };

/**
 * What the key was used for before, if it was.
 * @throws AppError idempotency_mismatch if that was another request
 */
export async function findIdempotencyKey(
  tx: PrismaTransaction,
  { tenantId, key, fingerprint }: KeyUse,
): Promise<IdempotencyKey | null> {
  const since = new Date(Date.now() - idempotencyHours * 3_600_000);
  const found = await tx.idempotencyKey.findFirst({ where: { tenantId, key, createdAt: { gt: since } } });
  if (!found) return null;
  if (!fingerprint.equals(found.fingerprint)) {
    throw new AppError(
      'idempotency_mismatch',
      'This Idempotency-Key was used for another request within the last 24 hours. Use a new key, or send the first body again.',
    );
  }
  return found;
}

/** Remembers what the key was used for: to make an export, or an erasure. */
export async function rememberIdempotencyKey(
  tx: PrismaTransaction,
  { tenantId, key, fingerprint }: KeyUse,
  made: { exportId: string } | { erasureId: string },
): Promise<void> {
  const data = { exportId: null, erasureId: null, ...made, fingerprint, createdAt: new Date() };
  await tx.idempotencyKey.upsert({
    where: { tenantId_key: { tenantId, key } },
    create: { tenantId, key, ...data },
    update: data,
  });
}

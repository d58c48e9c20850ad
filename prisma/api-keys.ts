import { apiKeyPrefix, hashApiKey, makeApiKey, type Scope, sameHash } from '../core/access/api-keys.ts';
import { notFound } from '../core/errors.ts';
import type { IdPage } from '../core/id-page.ts';
import { isUuid, newId } from '../core/ids.ts';
import type { Timestamp } from '../core/times.ts';
import type { Prisma } from './client.ts';
import type { ApiKey } from './generated/client.ts';
import type { TenantRow } from './tenants.ts';

export type ApiKeyRow = ApiKey;
/** A key with the tenant that it belongs to; a management key has none. */
export type KnownKey = ApiKeyRow & { tenant: TenantRow | null };

/** Whose keys: of one tenant, or with undefined of all, the management keys among them. */
export type KeyOwner = string | undefined;

/**
 * Makes a key for a tenant, or with `tenantId` null a management key. The key itself is only in this answer: what is
 * stored can check it, not tell it. `expiresAt` counts to the millisecond.
 */
export async function createApiKey(
  prisma: Prisma,
  tenantId: string | null,
  { name, scopes, expiresAt }: { name: string; scopes: readonly Scope[]; expiresAt: Timestamp | null },
): Promise<{ row: ApiKeyRow; key: string }> {
  const key = makeApiKey(tenantId === null ? 'management' : 'tenant');
  const row = await prisma.apiKey.create({
    data: {
      id: newId(),
      tenantId,
      name,
      scopes: [...scopes],
      prefix: apiKeyPrefix(key),
      hash: hashApiKey(key),
      createdAt: new Date(),
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
    },
  });
  return { row, key };
}

/** The row of a key, unless it was revoked. An expired one is found: whoever sends it is told so. */
export async function findKey(prisma: Prisma, key: string): Promise<KnownKey | undefined> {
  const row = await prisma.apiKey.findUnique({ where: { prefix: apiKeyPrefix(key) }, include: { tenant: true } });
  return row && row.revokedAt === null && sameHash(row.hash, hashApiKey(key)) ? row : undefined;
}

/** The row of the key with this id, unless it was revoked; an expired one too. */
export async function findKeyById(prisma: Prisma, id: string): Promise<KnownKey | undefined> {
  return (await prisma.apiKey.findFirst({ where: { id, revokedAt: null }, include: { tenant: true } })) ?? undefined;
}

/** @throws AppError not_found for a key that is missing or not the owner's */
export async function getApiKey(prisma: Prisma, owner: KeyOwner, id: string): Promise<ApiKeyRow> {
  const row = isUuid(id) && (await prisma.apiKey.findFirst({ where: { id, tenantId: owner } }));
  if (!row) throw notFound('API key');
  return row;
}

/** Newest first, revoked and expired ones too; one more than `limit`, if there is one. */
export async function listApiKeys(prisma: Prisma, owner: KeyOwner, { limit, afterId }: IdPage): Promise<ApiKeyRow[]> {
  return await prisma.apiKey.findMany({
    where: { tenantId: owner, ...(afterId && { id: { lt: afterId } }) },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
}

/**
 * Ends a key; one that is revoked already stays as it is. Other processes follow when what they keep grows old.
 * @throws AppError not_found for a key that is missing or not the owner's
 */
export async function revokeApiKey(prisma: Prisma, owner: KeyOwner, id: string): Promise<void> {
  await getApiKey(prisma, owner, id);
  await prisma.apiKey.updateMany({ where: { id, revokedAt: null }, data: { revokedAt: new Date() } });
}

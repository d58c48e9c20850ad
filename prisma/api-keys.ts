import { apiKeyPrefix, hashApiKey, makeApiKey, type Scope, sameHash } from '../core/access/api-keys.ts';
import { AppError, notFound } from '../core/errors.ts';
import { type PlanLimits, refuseBeyond } from '../core/exports/plan-limits.ts';
import type { IdPage } from '../core/id-page.ts';
import { isUuid, newId } from '../core/ids.ts';
import { formatTimestamp, type Timestamp } from '../core/times.ts';
import type { Prisma, PrismaTransaction } from './client.ts';
import { managementLogId, recorded } from './control-log.ts';
import type { AuditContext } from './exports/audit.ts';
import type { ApiKey } from './generated/client.ts';
import { countHoldingsLocked } from './holdings.ts';
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
  { by, parentId, limits }: NewKeyOptions = {},
): Promise<{ row: ApiKeyRow; key: string }> {
  const key = makeApiKey(tenantId === null ? 'management' : 'tenant');
  const id = newId();
  const row = await recorded(prisma, { log: tenantId ?? managementLogId, by }, async (tx, record) => {
    if (limits && tenantId !== null) {
      const { api_keys } = await countHoldingsLocked(tx, tenantId);
      refuseBeyond(limits, { api_keys }, Date.now());
    }
    const parent = parentId === undefined ? null : await livingKey(tx, parentId);
    const made = await tx.apiKey.create({
      data: {
        id,
        tenantId,
        name,
        scopes: [...scopes],
        prefix: apiKeyPrefix(key),
        hash: hashApiKey(key),
        createdAt: new Date(),
        expiresAt: earlier(expiresAt === null ? null : new Date(expiresAt), parent?.expiresAt ?? null),
        parentId: parent?.id ?? null,
      },
    });
    const expires_at = made.expiresAt && formatTimestamp(made.expiresAt);
    const metadata = { name, scopes: [...scopes], prefix: made.prefix, expires_at };
    record({ action: 'logferry.key.created', target: { type: 'api_key', id }, metadata });
    return made;
  });
  return { row, key };
}

type NewKeyOptions = {
  by?: AuditContext;
  /** The tenant's key that makes it: it ends with that one, and no later. */
  parentId?: string;
  /** To be kept. */
  limits?: PlanLimits;
};

/** The row is locked: a key that is being revoked makes no other. @throws AppError authentication_error */
async function livingKey(tx: PrismaTransaction, id: string): Promise<ApiKeyRow> {
  await tx.$queryRaw`select from api_keys where id = ${id}::uuid for share`;
  const row = await tx.apiKey.findFirst({ where: { id, revokedAt: null } });
  if (!row) throw new AppError('authentication_error', 'The API key was revoked.');
  return row;
}

const earlier = (a: Date | null, b: Date | null): Date | null => (a && b ? (a < b ? a : b) : (a ?? b));

/** The row of a key, one that was revoked or has expired too: whoever sends it is refused, and counted in its tenant's log. */
export async function findKey(prisma: Prisma, key: string): Promise<KnownKey | undefined> {
  const row = await prisma.apiKey.findUnique({ where: { prefix: apiKeyPrefix(key) }, include: { tenant: true } });
  return row && sameHash(row.hash, hashApiKey(key)) ? row : undefined;
}

/** The row of the key with this id, one that was revoked or has expired too. */
export async function findKeyById(prisma: Prisma, id: string): Promise<KnownKey | undefined> {
  return (await prisma.apiKey.findUnique({ where: { id }, include: { tenant: true } })) ?? undefined;
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
 * Ends a key, and the keys that were made with it; one that is revoked already stays as it is. Other processes follow when what they keep grows old.
 * @throws AppError not_found for a key that is missing or not the owner's
 */
export async function revokeApiKey(prisma: Prisma, owner: KeyOwner, id: string, by?: AuditContext): Promise<void> {
  const { tenantId, name } = await getApiKey(prisma, owner, id);
  await recorded(prisma, { log: tenantId ?? managementLogId, by }, async (tx, record) => {
    const ended = await tx.$queryRaw<{ id: string }[]>`
      with recursive family as (
        select id from api_keys where id = ${id}::uuid
        union select child.id from api_keys child join family on child.parent_id = family.id)
      update api_keys set revoked_at = now() from family
      where api_keys.id = family.id and revoked_at is null returning api_keys.id::text as id`;
    if (ended.length === 0) return;
    const children = ended.map((each) => each.id).filter((each) => each !== id);
    record({ action: 'logferry.key.revoked', target: { type: 'api_key', id }, metadata: { name, with: children } });
  });
}

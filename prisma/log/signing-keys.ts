import {
  makeSigningKey,
  openSigningKey,
  type PublicSigningKey,
  type SigningKey,
} from '../../core/evidence/signing-key.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Prisma, PrismaTransaction } from '../client.ts';
import { managementLogId, recorded } from '../control-log.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import type { SigningKey as SigningKeyRow } from '../generated/client.ts';

/** A key as it is listed; `validUntil` is null while it signs. */
export type ListedSigningKey = PublicSigningKey & Pick<SigningKeyRow, 'validFrom' | 'validUntil'>;

type Deps = { prisma: Prisma; secretKey: Pick<SecretKey, 'seal' | 'open'> };

/**
 * The key that signs. The first one is made here, by whoever asks first.
 * @throws Error when the key was sealed with another secret key
 */
export async function activeSigningKey(deps: Deps): Promise<SigningKey> {
  const row = (await findActive(deps.prisma)) ?? (await makeFirst(deps));
  return openSigningKey(row.publicKey, deps.secretKey.open(row.privateKey));
}

/** All there ever were, the active one first and then the newest. */
export async function listSigningKeys(deps: Deps): Promise<ListedSigningKey[]> {
  const rows = await deps.prisma.signingKey.findMany({ orderBy: [{ validFrom: 'desc' }, { kid: 'asc' }] });
  const listed = rows.length > 0 ? rows : [await makeFirst(deps)];
  return [...listed.filter(isActive), ...listed.filter((row) => !isActive(row))].map(listedKey);
}

/** Makes a new key the active one. The one before stays listed, and what it has signed still verifies. */
export async function rotateSigningKey(deps: Deps, by: AuditContext): Promise<ListedSigningKey> {
  return recorded(deps.prisma, { log: managementLogId, by }, async (tx, record) => {
    // Of two rotations at once one is after the other; readers do not wait.
    await tx.$executeRaw`lock table signing_keys in exclusive mode`;
    const now = new Date();
    const before = await findActive(tx);
    await tx.signingKey.updateMany({ where: active, data: { validUntil: now } });
    const row = await tx.signingKey.create({ data: newRow(deps, now) });
    const metadata = { kid: row.kid, previous_kid: before?.kid ?? null };
    record({ action: 'logferry.signing_key.rotated', target: { type: 'signing_key', id: row.kid }, metadata });
    return listedKey(row);
  });
}

const active = { validUntil: null };
const isActive = ({ validUntil }: Pick<SigningKeyRow, 'validUntil'>): boolean => validUntil === null;
const findActive = (prisma: PrismaTransaction): Promise<SigningKeyRow | null> =>
  prisma.signingKey.findFirst({ where: active });

/** Several processes may do this at once: the index on the active key lets one of them through. */
async function makeFirst({ prisma, secretKey }: Deps): Promise<SigningKeyRow> {
  await prisma.signingKey.createMany({ data: newRow({ secretKey }, new Date()), skipDuplicates: true });
  return prisma.signingKey.findFirstOrThrow({ where: active });
}

function newRow({ secretKey }: Pick<Deps, 'secretKey'>, validFrom: Date) {
  const { kid, publicKey, secret } = makeSigningKey();
  return { kid, publicKey: new Uint8Array(publicKey), privateKey: secretKey.seal(secret), validFrom };
}

const listedKey = ({ kid, publicKey, validFrom, validUntil }: SigningKeyRow): ListedSigningKey => ({
  kid,
  publicKey: Buffer.from(publicKey),
  validFrom,
  validUntil,
});

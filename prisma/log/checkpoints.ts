import { type Checkpoint, signCheckpoint } from '../../core/evidence/checkpoint.ts';
import { treeRoot } from '../../core/evidence/merkle-tree.ts';
import type { Database } from '../client.ts';
import { LogContradictionError } from './contradictions.ts';
import { type ExaminedLog, examineLog, isSame, type LogDeps } from './examine-log.ts';
import { removeKept, writeKept } from './kept-checkpoint.ts';
import { activeSigningKey } from './signing-keys.ts';

/** A checkpoint that may be shown: `note` is signed. */
export type ShownCheckpoint = Checkpoint & { note: string };

/**
 * The checkpoint of a tenant's log over all events that are committed now. It is written down before it is given: in the
 * database, and in the storage.
 * @throws LogContradictionError; AppError unavailable without the storage
 */
export async function showCheckpoint(
  deps: LogDeps,
  tenantId: string,
): Promise<ShownCheckpoint & Pick<ExaminedLog, 'tiles'>> {
  const examined = await examineLog(deps, tenantId);
  return { ...(await showAt(deps, examined, examined.size)), tiles: examined.tiles };
}

/**
 * As showCheckpoint(), over the first `size` events.
 * @throws LogContradictionError where there are fewer
 */
export async function showCheckpointAt(deps: LogDeps, tenantId: string, size: number): Promise<ShownCheckpoint> {
  const examined = await examineLog(deps, tenantId);
  if (size <= examined.size) return showAt(deps, examined, size);
  throw new LogContradictionError(`it has ${examined.size} events, and had ${size}`);
}

async function showAt(deps: LogDeps, examined: ExaminedLog, size: number): Promise<ShownCheckpoint> {
  const { tenantId, row, kept } = examined;
  const key = await activeSigningKey({ prisma: deps.database.prisma, secretKey: deps.secretKey });
  const origin = row?.origin ?? (await fixOrigin(deps.database, examined));
  const isShown = row?.shownKid === key.kid && Number(row.shownSize) === size && row.shownNote !== null;
  const root = isShown ? Buffer.from(row.shownRoot!) : await treeRoot(examined.tiles, size);
  const note = isShown ? row.shownNote! : signCheckpoint({ origin, size, root }, key);
  const shown = { origin, size, root, note };
  // A greater one stays where it is, and what it says of this one was compared.
  if (kept?.origin === origin && kept.size > size) return shown;
  const isGreatest = isShown || (await recordShown(deps.database, examined, { ...shown, kid: key.kid }));
  if (isGreatest && !(kept && isSame(kept, shown))) await keep(deps, tenantId, note);
  return shown;
}

/** Somebody else's first checkpoint may come before ours: then its origin is that of both. */
async function fixOrigin({ prisma }: Pick<Database, 'prisma'>, { tenantId, origin }: ExaminedLog): Promise<string> {
  await prisma.log.createMany({ data: { tenantId, origin }, skipDuplicates: true });
  await prisma.log.updateMany({ where: { tenantId, origin: null }, data: { origin } });
  return (await prisma.log.findUniqueOrThrow({ where: { tenantId } })).origin!;
}

/** Whether it is the greatest now. It is not, where a greater one was shown meanwhile, or the log was begun anew. */
async function recordShown(
  { prisma }: Pick<Database, 'prisma'>,
  { tenantId, number }: ExaminedLog,
  { size, root, note, kid }: ShownCheckpoint & { kid: string },
): Promise<boolean> {
  const { count } = await prisma.log.updateMany({
    where: { tenantId, number, OR: [{ shownSize: null }, { shownSize: { lte: size } }] },
    data: { shownSize: size, shownRoot: new Uint8Array(root), shownNote: note, shownKid: kid },
  });
  return count > 0;
}

/**
 * Writes of others that come in between end with theirs in its place: so the last to write looks whether his is greatest. And
 * whether the tenant still is: its deletion may have removed the checkpoint in between.
 */
async function keep({ database, store }: LogDeps, tenantId: string, note: string): Promise<void> {
  let written: string;
  let greatest: string | null | undefined = note;
  do {
    written = greatest;
    await writeKept(store, tenantId, written);
    const tenant = await database.prisma.tenant.findUnique({ where: { id: tenantId }, include: { log: true } });
    if (tenant?.status !== 'active') return removeKept(store, tenantId);
    greatest = tenant.log?.shownNote;
  } while (greatest && greatest !== written);
}

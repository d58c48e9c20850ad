import type { Config } from '../../core/config.ts';
import { notFound } from '../../core/errors.ts';
import { type Checkpoint, logOrigin, readOrigin } from '../../core/evidence/checkpoint.ts';
import { treeRoot } from '../../core/evidence/merkle-tree.ts';
import type { ReadTile } from '../../core/evidence/tiles.ts';
import type { Log } from '../../core/log.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import { type Database, pgSql } from '../client.ts';
import type { Log as LogRow } from '../generated/client.ts';
import { LogContradictionError, markAgreement, markContradiction } from './contradictions.ts';
import { readKept, type TextStore } from './kept-checkpoint.ts';
import { MissingTileError, tileReader } from './read-tiles.ts';
import { sealThrough } from './seal.ts';

/** What everything about tenants' logs works with. */
export type LogDeps = {
  config: Pick<Config, 'origin'>;
  database: Database;
  store: TextStore;
  secretKey: Pick<SecretKey, 'seal' | 'open'>;
  log: Log;
};

/** A log that is what every checkpoint says that was shown of it. */
export type ExaminedLog = {
  tenantId: string;
  origin: string;
  number: number;
  /** Entries that are there, all of them in the tree. */
  size: number;
  tiles: ReadTile;
  /** The row, if there is one yet. */
  row: LogRow | null;
  /** The greatest that was shown, by whatever process, as the storage has it. */
  kept: Checkpoint | undefined;
};

/**
 * Brings the tree up to date with all events that are committed now, and compares it with the greatest checkpoints that were
 * shown: the one in the database, and the one in the storage, of which a restored database knows nothing.
 * @throws LogContradictionError, which is also written down; AppError unavailable without the storage, not_found for a tenant
 * that is being deleted
 */
export async function examineLog(deps: LogDeps, tenantId: string): Promise<ExaminedLog> {
  try {
    const examined = await examine(deps, tenantId);
    if (examined.row?.contradiction) await markAgreement(deps, tenantId);
    return examined;
  } catch (error) {
    const found = error instanceof MissingTileError ? new LogContradictionError(error.message) : error;
    if (found instanceof LogContradictionError) await markContradiction(deps, tenantId, found);
    throw found;
  }
}

async function examine({ config, database, store }: LogDeps, tenantId: string): Promise<ExaminedLog> {
  // In this order: the tree is not smaller than what was shown before it was looked at.
  const kept = await readKept(store, tenantId);
  const row = await database.prisma.log.findUnique({ where: { tenantId } });
  const head = await database.prisma.chainHead.findUnique({ where: { tenantId } });
  // It goes with the first step of a tenant's deletion.
  if (!head) throw notFound('tenant');
  const size = Number(head.sequenceNumber);
  const number = row?.number ?? 1;
  const origin = row?.origin ?? originOf(kept, tenantId) ?? logOrigin(config.origin, tenantId, number);
  await sealThrough(database, tenantId, size);
  const tiles = tileReader(pgSql(database.pool), tenantId);
  const examined = { tenantId, origin, number, size, tiles, row, kept };
  for (const shown of shownOf(examined)) await refuseDifference(shown, examined);
  return examined;
}

/** The name of a tenant's log: as it was fixed, or as its first checkpoint will fix it. */
export async function findOrigin(
  { config, database, store }: Pick<LogDeps, 'config' | 'database' | 'store'>,
  tenantId: string,
): Promise<string> {
  const row = await database.prisma.log.findUnique({ where: { tenantId } });
  return row?.origin ?? originOf(await readKept(store, tenantId), tenantId) ?? logOrigin(config.origin, tenantId);
}

/** Of a log that the database knows nothing of. */
const originOf = (kept: Checkpoint | undefined, tenantId: string): string | undefined =>
  kept && readOrigin(kept.origin, tenantId)?.number === 1 ? kept.origin : undefined;

/** The greatest checkpoints that were shown of this log; one of a log before it counts no more. */
function shownOf({ tenantId, origin, number, row, kept }: ExaminedLog): Checkpoint[] {
  const shown: Checkpoint[] = [];
  if (row?.shownRoot) shown.push({ origin, size: Number(row.shownSize), root: Buffer.from(row.shownRoot) });
  if (!kept) return shown;
  const earlier = readOrigin(kept.origin, tenantId);
  if (earlier && earlier.number < number) return shown;
  if (kept.origin === origin) return [...shown.filter((each) => !isSame(each, kept)), kept];
  throw new LogContradictionError(`it is ${origin}, and a checkpoint of ${kept.origin} is kept in the storage`);
}

/** Whether two checkpoints say the same. */
export const isSame = (one: Checkpoint, other: Checkpoint): boolean =>
  one.origin === other.origin && one.size === other.size && one.root.equals(other.root);

async function refuseDifference(shown: Checkpoint, { size, tiles }: ExaminedLog): Promise<void> {
  if (shown.size > size) {
    throw new LogContradictionError(`it has ${size} events, and had ${shown.size}`);
  }
  const root = await treeRoot(tiles, shown.size);
  if (root.equals(shown.root)) return;
  throw new LogContradictionError(`its first ${shown.size} events are not those that were there`);
}

import { hashBytes, leafHashes, perfectRoot } from '../../core/evidence/merkle-tree.ts';
import { hashesAtLevel, tileWidth } from '../../core/evidence/tiles.ts';
import { type Database, inTransaction, pgSql, type Sql } from '../client.ts';
import { MissingTileError, readEntries, readTile } from './read-tiles.ts';

/** Bundles sealed by one transaction: some 20 ms of hashing, and 0.5 MiB of entries. */
const bundlesAtOnce = 64;

/**
 * Stores the full tiles of the first `size` entries that are not stored yet, which are committed events. Writers are not
 * locked out: the tree is built behind them. Any number of processes may do this at once. Of a tenant that is being deleted
 * nothing is stored any more.
 * @throws MissingTileError where events are gone
 */
export async function sealThrough({ pool }: Pick<Database, 'pool'>, tenantId: string, size: number): Promise<void> {
  const full = size - (size % tileWidth);
  if (full === 0) return;
  const [row] = await pgSql(pool)<{ sealed_size: unknown }>(sealedSize, [tenantId]);
  let sealed = Number(row?.sealed_size ?? 0);
  while (sealed < full) sealed = (await inTransaction(pool, (sql) => sealSome(sql, tenantId, full))) ?? full;
}

const sealedSize = 'select sealed_size from logs where tenant_id = $1::uuid';

/** Gives how many entries are sealed now; undefined for a tenant that is being deleted. */
async function sealSome(sql: Sql, tenantId: string, full: number): Promise<number | undefined> {
  const sealed = await lockLog(sql, tenantId);
  if (sealed === undefined) return undefined;
  const to = Math.min(full, sealed + bundlesAtOnce * tileWidth);
  if (to <= sealed) return sealed;
  await sealBundles(sql, tenantId, sealed, to);
  for (let level = 1; hashesAtLevel(to, level + 1) > hashesAtLevel(sealed, level + 1); level++) {
    for (let index = hashesAtLevel(sealed, level + 1); index < hashesAtLevel(to, level + 1); index++) {
      await sealTile(sql, tenantId, level, index);
    }
  }
  await sql('update logs set sealed_size = $2::bigint where tenant_id = $1::uuid', [tenantId, to]);
  return to;
}

/** One process seals at a time; gives how many entries are sealed, undefined for a tenant that is being deleted. */
async function lockLog(sql: Sql, tenantId: string): Promise<number | undefined> {
  const begin = `insert into logs (tenant_id) select id from tenants where id = $1::uuid and status = 'active' on conflict do nothing`;
  await sql(begin, [tenantId]);
  const [row] = await sql<{ sealed_size: unknown }>(
    `select sealed_size from logs join tenants t on t.id = tenant_id
     where tenant_id = $1::uuid and t.status = 'active' for update of logs`,
    [tenantId],
  );
  return row && Number(row.sealed_size);
}

async function sealBundles(sql: Sql, tenantId: string, from: number, to: number): Promise<void> {
  const entries = await readEntries(sql, tenantId, { from, to });
  if (!entries) throw new MissingTileError(tenantId, { level: 0, index: from / tileWidth, width: to - from });
  const bundles = Array.from({ length: (to - from) / tileWidth }, (_, at) =>
    entries.subarray(at * tileWidth * hashBytes, (at + 1) * tileWidth * hashBytes),
  );
  await sql(
    `insert into log_tiles (tenant_id, level, index, root, entries)
     select $1::uuid, 0, $2::bigint + position - 1, root, entries
     from unnest($3::bytea[], $4::bytea[]) with ordinality as bundle (root, entries, position)
     on conflict (tenant_id, level, index) do update set root = excluded.root, entries = excluded.entries`,
    [tenantId, from / tileWidth, bundles.map((bundle) => perfectRoot(leafHashes(bundle))), bundles],
  );
}

async function sealTile(sql: Sql, tenantId: string, level: number, index: number): Promise<void> {
  const tile = { level, index, width: tileWidth };
  const hashes = await readTile(sql, tenantId, tile);
  if (!hashes) throw new MissingTileError(tenantId, tile);
  await sql(
    `insert into log_tiles (tenant_id, level, index, root) values ($1::uuid, $2, $3::bigint, $4)
     on conflict (tenant_id, level, index) do update set root = excluded.root`,
    [tenantId, level, index, perfectRoot(hashes)],
  );
}

/**
 * Keeps the entries of events that are about to be removed, in the transaction that removes them, where they do not fill a
 * bundle: those of full ones are sealed. The log goes on as if nothing had been removed.
 * @param through number of the last event that goes; up to there the log must be sealed (sealThrough)
 * @throws MissingTileError where it is not, or entries are gone: then nothing may be removed
 */
export async function keepEntries(sql: Sql, tenantId: string, through: number): Promise<void> {
  const width = through % tileWidth;
  const index = Math.floor(through / tileWidth);
  const [row] = await sql<{ sealed_size: unknown }>(sealedSize, [tenantId]);
  const isSealed = Number(row?.sealed_size ?? 0) >= through - width;
  if (!isSealed) throw new MissingTileError(tenantId, { level: 0, index: index - 1, width: tileWidth });
  if (width === 0) return;
  const entries = await readEntries(sql, tenantId, { from: through - width, to: through });
  if (!entries) throw new MissingTileError(tenantId, { level: 0, index, width });
  await sql(
    `insert into log_tiles (tenant_id, level, index, entries) values ($1::uuid, 0, $2::bigint, $3)
     on conflict (tenant_id, level, index) do update set entries = excluded.entries
     where log_tiles.root is null and length(log_tiles.entries) < length(excluded.entries)`,
    [tenantId, index, entries],
  );
}

/**
 * Tenants with full bundles that are not sealed, and how many events their logs have; those furthest behind first. Those that
 * are being deleted have no chain head.
 */
export async function unsealedLogs({ pool }: Pick<Database, 'pool'>, limit: number) {
  const { rows } = await pool.query<{ tenantId: string; size: string }>(
    `select h.tenant_id as "tenantId", h.sequence_number as size from chain_heads h left join logs l using (tenant_id)
     where h.sequence_number - coalesce(l.sealed_size, 0) >= ${tileWidth}
     order by h.sequence_number - coalesce(l.sealed_size, 0) desc limit $1`,
    [limit],
  );
  return rows.map(({ tenantId, size }) => ({ tenantId, size: Number(size) }));
}

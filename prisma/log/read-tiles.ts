import { hashBytes, leafHashes } from '../../core/evidence/merkle-tree.ts';
import { type ReadTile, type Tile, tileWidth } from '../../core/evidence/tiles.ts';
import type { Sql } from '../client.ts';

/** The hashes of a tile, partial ones too; undefined where the tree has fewer, or none sealed, there. */
export async function readTile(sql: Sql, tenantId: string, tile: Tile): Promise<Buffer | undefined> {
  if (tile.level > 0) return readRoots(sql, tenantId, tile);
  const entries = await readBundle(sql, tenantId, tile);
  return entries && leafHashes(entries);
}

/** The entries of a bundle, one behind the other: what is sealed or kept of it, and then from the events. */
export async function readBundle(
  sql: Sql,
  tenantId: string,
  { index, width }: Pick<Tile, 'index' | 'width'>,
): Promise<Buffer | undefined> {
  return readEntries(sql, tenantId, { from: index * tileWidth, to: index * tileWidth + width });
}

/**
 * The entries from `from` on, which is where a bundle begins, up to `to`: the hashes of the events, or what is kept of them in
 * that first bundle. Undefined unless all are there.
 */
export async function readEntries(
  sql: Sql,
  tenantId: string,
  { from, to }: { from: number; to: number },
): Promise<Buffer | undefined> {
  const [row] = await sql<{ entries: Buffer }>(
    `with kept as (
       select coalesce((select entries from log_tiles where tenant_id = $1::uuid and level = 0 and index = $2::bigint), '') as entries
     )
     select kept.entries || coalesce((
       select string_agg(hash, ''::bytea order by sequence_number) from events
       where tenant_id = $1::uuid and sequence_number <= $4::bigint
         and sequence_number > $3::bigint + length(kept.entries) / ${hashBytes}
     ), '') as entries from kept`,
    [tenantId, from / tileWidth, from, to],
  );
  const bytes = (to - from) * hashBytes;
  return row!.entries.length < bytes ? undefined : row!.entries.subarray(0, bytes);
}

async function readRoots(sql: Sql, tenantId: string, { level, index, width }: Tile): Promise<Buffer | undefined> {
  const first = index * tileWidth;
  const [row] = await sql<{ roots: Buffer | null }>(
    `select string_agg(root, ''::bytea order by index) as roots from log_tiles
     where tenant_id = $1::uuid and level = $2 and index >= $3::bigint and index < $4::bigint and root is not null`,
    [tenantId, level - 1, first, first + width],
  );
  return row!.roots?.length === width * hashBytes ? row!.roots : undefined;
}

/** Reads what the hashes of a tree are computed from, each tile once. @throws MissingTileError */
export function tileReader(sql: Sql, tenantId: string): ReadTile {
  const known = new Map<string, Promise<Buffer>>();
  const read = async (tile: Tile) => {
    const hashes = await readTile(sql, tenantId, tile);
    if (!hashes) throw new MissingTileError(tenantId, tile);
    return hashes;
  };
  return (tile) => {
    const name = `${tile.level}/${tile.index}.${tile.width}`;
    const reading = known.get(name) ?? read(tile);
    known.set(name, reading);
    return reading;
  };
}

/** Events or tiles that belong to the tree are not there: somebody has removed them. */
export class MissingTileError extends Error {
  constructor(tenantId: string, { level, index, width }: Tile) {
    super(`Of tile ${level}/${index} of the log of ${tenantId} not all ${width} hashes are there`);
    this.name = 'MissingTileError';
  }
}

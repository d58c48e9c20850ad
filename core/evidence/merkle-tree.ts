import { hash as digestOf } from 'node:crypto';
import { type ReadTile, tileHeight, tileWidth } from './tiles.ts';

/** Bytes of a hash, and of an entry of our logs. */
export const hashBytes = 32;

/** The root of a tree without an entry (RFC 9162 section 2.1.1). */
export const emptyRoot: Buffer = digestOf('sha256', '', 'buffer');

/** The hash of a leaf: SHA-256(0x00 ‖ entry). */
export function leafHash(entry: Uint8Array): Buffer {
  const text = Buffer.alloc(1 + entry.length);
  text.set(entry, 1);
  return digestOf('sha256', text, 'buffer');
}

/** The hash of a node: SHA-256(0x01 ‖ left ‖ right). */
function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const text = Buffer.alloc(1 + 2 * hashBytes);
  text[0] = 1;
  text.set(left, 1);
  text.set(right, 1 + hashBytes);
  return digestOf('sha256', text, 'buffer');
}

/** The leaf hashes of entries that stand one behind the other, as a tile of level 0 has them. */
export function leafHashes(entries: Uint8Array): Buffer {
  const hashes = Buffer.alloc(entries.length);
  for (let at = 0; at < entries.length; at += hashBytes) hashes.set(leafHash(entries.subarray(at, at + hashBytes)), at);
  return hashes;
}

/** The root over so many hashes of one level, a power of two of them, that stand one behind the other. */
export function perfectRoot(hashes: Uint8Array): Buffer {
  let level = Buffer.from(hashes);
  while (level.length > hashBytes) {
    const next = Buffer.alloc(level.length / 2);
    for (let at = 0; at < next.length; at += hashBytes) {
      const left = level.subarray(2 * at, 2 * at + hashBytes);
      next.set(nodeHash(left, level.subarray(2 * at + hashBytes, 2 * at + 2 * hashBytes)), at);
    }
    level = next;
  }
  return level;
}

/** The leaves from `from` up to, but without, `to`. In all that follows `from` is where RFC 9162 lets a subtree begin. */
type Range = { from: number; to: number };

/** The root of the tree of the first `size` entries. Reads one tile of each level at most. */
export const treeRoot = async (readTile: ReadTile, size: number): Promise<Buffer> =>
  size === 0 ? emptyRoot : rangeRoot(readTile, { from: 0, to: size }, size);

/**
 * The hashes by which the root of the first `size` entries follows from leaf `index`, from its sibling up (RFC 9162 section
 * 2.1.3.1).
 */
export async function inclusionProof(readTile: ReadTile, index: number, size: number): Promise<Buffer[]> {
  const proof: Buffer[] = [];
  for (const range of siblings(index, size)) proof.push(await rangeRoot(readTile, range, size));
  return proof;
}

function siblings(index: number, size: number): Range[] {
  const found: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + largestPowerBelow(to - from);
    if (index < middle) {
      found.push({ from: middle, to });
      to = middle;
    } else {
      found.push({ from, to: middle });
      from = middle;
    }
  }
  return found.reverse();
}

/** The largest power of two that is less than `count`. Of doubles, as bits end at 2^32. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

async function rangeRoot(readTile: ReadTile, range: Range, size: number): Promise<Buffer> {
  const length = range.to - range.from;
  const half = largestPowerBelow(length);
  if (length === 1 || half * 2 === length) return subtreeRoot(readTile, range, size);
  const middle = range.from + half;
  const left = await subtreeRoot(readTile, { from: range.from, to: middle }, size);
  return nodeHash(left, await rangeRoot(readTile, { from: middle, to: range.to }, size));
}

/** The root of a subtree whose leaves are a power of two, and all there: from one tile, the highest that has its hashes. */
async function subtreeRoot(readTile: ReadTile, { from, to }: Range, size: number): Promise<Buffer> {
  const height = Math.round(Math.log2(to - from));
  const level = Math.floor(height / tileHeight);
  const leaves = tileWidth ** level;
  const first = from / leaves;
  const index = Math.floor(first / tileWidth);
  const width = Math.min(tileWidth, Math.floor(size / leaves) - index * tileWidth);
  const tile = await readTile({ level, index, width });
  const at = (first % tileWidth) * hashBytes;
  return perfectRoot(tile.subarray(at, at + 2 ** (height % tileHeight) * hashBytes));
}

import { createHash } from 'node:crypto';
import { emptyRoot, hashBytes, perfectRoot } from '../../../core/evidence/merkle-tree.ts';
import { type ReadTile, tileWidth } from '../../../core/evidence/tiles.ts';

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
export const naiveLeaf = (entry: Uint8Array): Buffer => sha256(Buffer.of(0), entry);
const node = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Buffer.of(1), left, right);

/** The largest power of two below n. */
const splitOf = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

/** MTH and PATH of RFC 9162 (sections 2.1.1 and 2.1.3.1) as they are written there; roots that were asked for are kept. */
export function naiveTree(entries: readonly Uint8Array[]) {
  const known = new Map<string, Buffer>();
  const compute = (from: number, to: number): Buffer => {
    if (to === from) return emptyRoot;
    if (to - from === 1) return naiveLeaf(entries[from]!);
    const k = from + splitOf(to - from);
    return node(root(from, k), root(k, to));
  };
  const root = (from: number, to: number): Buffer => {
    const found = known.get(`${from}-${to}`) ?? compute(from, to);
    known.set(`${from}-${to}`, found);
    return found;
  };
  const path = (index: number, from: number, to: number): Buffer[] => {
    if (to - from <= 1) return [];
    const k = from + splitOf(to - from);
    return index < k ? [...path(index, from, k), root(k, to)] : [...path(index, k, to), root(from, k)];
  };
  return {
    root: (size: number): Buffer => root(0, size),
    path: (index: number, size: number): Buffer[] => path(index, 0, size),
  };
}

/** The verification of RFC 9162 section 2.1.3.2: the root that follows from a leaf and its proof. */
export function rootFromProof(
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  { index, size }: { index: number; size: number },
) {
  let [fn, sn] = [index, size - 1];
  let r: Buffer = Buffer.from(leaf);
  for (const p of proof) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      r = node(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else r = node(r, p);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? r : undefined;
}

/** Gives the tiles of trees of the first of these leaves; counts what is read, and refuses what is not in the tree. */
export function tilesOver(leaves: readonly Buffer[]): (size: number) => { readTile: ReadTile; read: Set<string> } {
  const levels = [leaves];
  const hashesOf = (level: number): readonly Buffer[] => {
    if (levels[level]) return levels[level];
    const below = hashesOf(level - 1);
    const tiles = Array.from({ length: Math.floor(below.length / tileWidth) }, (_, at) =>
      perfectRoot(Buffer.concat(below.slice(at * tileWidth, (at + 1) * tileWidth))),
    );
    levels[level] = tiles;
    return tiles;
  };
  return (size) => {
    const read = new Set<string>();
    const readTile: ReadTile = async ({ level, index, width }) => {
      const there = Math.floor(size / tileWidth ** level);
      const tile = Buffer.concat(hashesOf(level).slice(index * tileWidth, Math.min(there, index * tileWidth + width)));
      if (tile.length !== width * hashBytes) throw new Error(`There is no tile ${level}/${index}.p/${width}`);
      read.add(`${level}/${index}`);
      return tile;
    };
    return { readTile, read };
  };
}

import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyRoot, inclusionProof, leafHash, leafHashes, treeRoot } from '../../../core/evidence/merkle-tree.ts';
import { naiveTree, rootFromProof, tilesOver } from './naive-tree.ts';

const entries = Array.from({ length: 70_000 }, (_, index) => hash('sha256', String(index), 'buffer'));
const leaves = entries.map(leafHash);
const treeOf = tilesOver(leaves);
const naive = naiveTree(entries);

/** Near where tiles and subtrees end, and anywhere. */
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 600 }),
  fc.constantFrom(255, 256, 257, 511, 512, 513, 4095, 4096, 65_535, 65_536, 65_537, 66_000),
);

describe('The Merkle tree', () => {
  it('without an entry has the hash of nothing as its root', async () => {
    expect(emptyRoot.toString('hex')).toBe(hash('sha256', ''));
    expect(await treeRoot(treeOf(0).readTile, 0)).toEqual(emptyRoot);
  });

  // Test vectors of Certificate Transparency: leaves of 0, 1, 1, 2, 2, 4, 8 and 16 bytes.
  it('hashes leaves as RFC 6962 does', () => {
    const hex = (text: string) => leafHash(Buffer.from(text, 'hex')).toString('hex');
    expect(hex('')).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(hex('00')).toBe('96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7');
    expect(leafHashes(Buffer.concat(entries.slice(0, 3)))).toEqual(Buffer.concat(leaves.slice(0, 3)));
  });

  it('has the root that the definition gives, from tiles, whatever its size', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async (size) => {
        const { readTile, read } = treeOf(size);
        expect(await treeRoot(readTile, size)).toEqual(naive.root(size));
        expect(read.size).toBeLessThanOrEqual(3);
      }),
      { numRuns: 60 },
    );
  });

  it('has the root of any smaller tree, from the tiles of a larger one', async () => {
    const { readTile } = treeOf(70_000);
    for (const size of [1, 2, 3, 255, 256, 257, 300, 65_536, 65_537, 69_999])
      expect(await treeRoot(readTile, size)).toEqual(naive.root(size));
  });

  it('proves each of its entries as the definition does', async () => {
    const places = sizes.chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1)));
    await fc.assert(
      fc.asyncProperty(places, async ([size, index]) => {
        const proof = await inclusionProof(treeOf(size).readTile, index, size);
        expect(proof).toEqual(naive.path(index, size));
        expect(rootFromProof(leaves[index]!, proof, { index, size })).toEqual(naive.root(size));
      }),
      { numRuns: 60 },
    );
  });

  it('proves no other entry, and none in another place', async () => {
    const proof = await inclusionProof(treeOf(1000).readTile, 700, 1000);
    const root = naive.root(1000);
    expect(rootFromProof(leaves[701]!, proof, { index: 700, size: 1000 })).not.toEqual(root);
    expect(rootFromProof(leaves[700]!, proof, { index: 701, size: 1000 })).not.toEqual(root);
    expect(rootFromProof(leaves[700]!, proof.slice(1), { index: 700, size: 1000 })).not.toEqual(root);
  });
});

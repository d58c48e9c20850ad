/** Where an event stands in its tenant's chain (docs/verify.md). Hashes as hex. */
export type ChainLink = { sequenceNumber: number; hash: string; previousHash: string };

/** Where a chain, or a part of it, ends: its last number and hash. */
export type ChainEnd = Pick<ChainLink, 'sequenceNumber' | 'hash'>;

/** The end of a chain that has no event. */
export const chainStart: ChainEnd = { sequenceNumber: 0, hash: '0'.repeat(64) };

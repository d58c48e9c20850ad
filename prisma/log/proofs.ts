import { logProof } from '../../core/evidence/log-proof.ts';
import { inclusionProof } from '../../core/evidence/merkle-tree.ts';
import { showCheckpoint } from './checkpoints.ts';
import type { LogDeps } from './examine-log.ts';

/**
 * The proof that the event of this number is in its tenant's log, with a checkpoint of now.
 * @throws as showCheckpoint()
 */
export async function proveEvent(deps: LogDeps, tenantId: string, sequenceNumber: number): Promise<string> {
  const { size, note, tiles } = await showCheckpoint(deps, tenantId);
  const index = sequenceNumber - 1;
  return logProof({ index, hashes: await inclusionProof(tiles, index, size), checkpoint: note });
}

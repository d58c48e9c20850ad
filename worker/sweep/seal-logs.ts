import { LogContradictionError, markContradiction } from '../../prisma/log/contradictions.ts';
import { MissingTileError } from '../../prisma/log/read-tiles.ts';
import { sealThrough, unsealedLogs } from '../../prisma/log/seal.ts';
import { activeSigningKey } from '../../prisma/log/signing-keys.ts';
import { forEachTenant, type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Stores the full tiles of all logs up to the events that are committed now. Makes the first signing key, too. */
export async function sealLogs(deps: SweepDeps): Promise<void> {
  const { database, secretKey } = deps;
  await activeSigningKey({ prisma: database.prisma, secretKey });
  const unsealed = await unsealedLogs(database, sweepLimit);
  await forEachTenant(deps, unsealed, async ({ tenantId, size }) => {
    await sealThrough(database, tenantId, size).catch(async (error) => {
      if (!(error instanceof MissingTileError)) throw error;
      await markContradiction(deps, tenantId, new LogContradictionError(error.message));
      throw error;
    });
  });
}

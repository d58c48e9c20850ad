import type { Database } from '../../prisma/client.ts';
import { LogContradictionError } from '../../prisma/log/contradictions.ts';
import { examineLog } from '../../prisma/log/examine-log.ts';
import { listTenantIds } from '../../prisma/tenants.ts';
import { type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** How far a process has come, by what it is connected to: the id of the last tenant it has looked at. */
const compared = new WeakMap<Database, string | 'all'>();

/**
 * Compares every log with the greatest checkpoint that was shown of it, once after each start of a worker: a database that was
 * restored is found out before somebody asks for a checkpoint. Of the rest /readyz and the log of the process tell.
 */
export async function compareLogs(deps: SweepDeps): Promise<void> {
  const { database } = deps;
  const after = compared.get(database);
  if (after === 'all') return;
  const ids = await listTenantIds(database.prisma, { after, limit: sweepLimit });
  for (const id of ids) {
    await examineLog(deps, id).catch((error) => {
      if (!(error instanceof LogContradictionError)) throw error;
    });
    compared.set(database, id);
  }
  if (ids.length < sweepLimit) compared.set(database, 'all');
}

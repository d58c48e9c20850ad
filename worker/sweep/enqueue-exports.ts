import { forgottenExports } from '../../prisma/exports/leftovers.ts';
import { type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Enqueues exports that wait without a job, and those whose worker has been silent for longer than its lease. */
export async function enqueueExports({ database, queue }: SweepDeps): Promise<void> {
  for (const id of await forgottenExports(database, sweepLimit)) await queue.enqueueExport(id);
}

import { forgottenErasures } from '../../prisma/erasures/run.ts';
import { type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Enqueues erasures that wait without a job, and those whose worker has been silent for longer than its lease. */
export async function enqueueErasures({ database, queue }: SweepDeps): Promise<void> {
  for (const id of await forgottenErasures(database, sweepLimit)) await queue.enqueueExport(id);
}

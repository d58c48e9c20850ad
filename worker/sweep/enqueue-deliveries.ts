import { databaseTime } from '../../prisma/client.ts';
import { dueDeliveries } from '../../prisma/deliveries.ts';
import { type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Enqueues deliveries that are due and whose job was lost. */
export async function enqueueDeliveries({ database, queue }: SweepDeps): Promise<void> {
  for (const id of await dueDeliveries(database.prisma, await databaseTime(database.prisma), sweepLimit))
    await queue.enqueueDelivery(id, { again: true });
}

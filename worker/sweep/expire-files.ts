import { databaseTime } from '../../prisma/client.ts';
import { expireExport } from '../../prisma/exports/end.ts';
import { completedBefore } from '../../prisma/exports/leftovers.ts';
import { forEachExport, type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Ends the life of files that have lived their time. */
export async function expireFiles(deps: SweepDeps): Promise<void> {
  const { database, queue, log, metrics } = deps;
  const over = await completedBefore(database.prisma, await databaseTime(database.prisma), sweepLimit);
  await forEachExport(
    deps,
    over.map((id) => ({ id })),
    async ({ id }) => {
      const expired = await expireExport(database.prisma, id);
      if (!expired) return;
      metrics.add('logferry_exports_ended_total', 1, { outcome: 'expired' });
      log.info({ export_id: id }, 'export expired');
      for (const delivery of expired.deliveries) await queue.enqueueDelivery(delivery);
    },
  );
}

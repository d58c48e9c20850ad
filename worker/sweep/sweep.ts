import { exportIdOfKey } from '../../core/exports/exports.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Queue } from '../../core/queue/queue.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { Database } from '../../prisma/client.ts';
import { dueDeliveries } from '../../prisma/deliveries.ts';
import { expireExport, markFileDeleted } from '../../prisma/exports/end.ts';
import {
  completedBefore,
  forgetIdempotencyKeys,
  forgottenExports,
  markUploadForgotten,
  undeletedFiles,
  unfinishedUploads,
  uploadOwners,
} from '../../prisma/exports/leftovers.ts';

export type SweepDeps = { database: Database; queue: Queue; store: ObjectStore; log: Log; metrics: Metrics };

/** Rows one sweep looks at for each of its duties; the next one does the rest. */
const limit = 1000;
/** An upload that an unfinished export does not know may have been begun a moment ago, by a store whose clock is wrong. */
const unwrittenUploadAgeMs = 300_000;
/** An upload of no export we know: the database may be one that was restored, and the export one that it has lost. */
const strayUploadAgeMs = 3_600_000;

/**
 * What mends what was left behind: rings for exports and deliveries that no ring came through for, the end of the life of
 * files, and the return of uploads that no run owns. Every step may be repeated, by any number of workers at once.
 */
export const duties = {
  enqueueExports,
  enqueueDeliveries,
  expireFiles,
  deleteFiles,
  abortUploads,
  abortStrayUploads,
  forgetKeys,
};

/** Does each duty once; one that fails keeps none of the others. */
export async function sweep(deps: SweepDeps): Promise<void> {
  for (const [duty, run] of Object.entries(duties)) {
    await run(deps).catch((err) => deps.log.warn({ err, duty }, 'sweep'));
  }
}

async function enqueueExports({ database, queue }: SweepDeps): Promise<void> {
  for (const id of await forgottenExports(database, limit)) await queue.enqueueExport(id);
}

async function enqueueDeliveries({ database, queue }: SweepDeps): Promise<void> {
  for (const id of await dueDeliveries(database.prisma, new Date(), limit))
    await queue.enqueueDelivery(id, { again: true });
}

/**
 * Does something about each of these exports, or of what is left of them; one that fails keeps none behind it waiting.
 * @throws Error that counts them, if some failed; why each did is in the log
 */
async function forEach<T extends { id?: string | undefined }>(
  { log }: SweepDeps,
  items: T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  let failed = 0;
  for (const item of items) {
    await work(item).catch((err) => {
      failed++;
      log.warn({ err, export_id: item.id }, 'sweep');
    });
  }
  if (failed > 0) throw new Error(`${failed} of ${items.length} failed`);
}

async function expireFiles(deps: SweepDeps): Promise<void> {
  const { database, queue, log, metrics } = deps;
  const over = await completedBefore(database.prisma, new Date(), limit);
  await forEach(
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

async function deleteFiles(deps: SweepDeps): Promise<void> {
  const { database, store } = deps;
  await forEach(deps, await undeletedFiles(database.prisma, limit), async ({ id, storageKey }) => {
    await store.deleteObject(storageKey);
    await markFileDeleted(database.prisma, id);
  });
}

/** Uploads of exports that failed or were canceled, and what a run may have published before it could say so. */
async function abortUploads(deps: SweepDeps): Promise<void> {
  const { database, store } = deps;
  await forEach(deps, await unfinishedUploads(database.prisma, limit), async ({ id, storageKey, uploadId }) => {
    if (uploadId) await store.abortUpload({ key: storageKey, uploadId });
    await store.deleteObject(storageKey);
    await markUploadForgotten(database.prisma, id);
  });
}

/** Uploads that were begun by a run which died before it could write them down. */
async function abortStrayUploads(deps: SweepDeps): Promise<void> {
  const { database, store } = deps;
  const uploads = (await store.listUploads()).map((upload) => ({ ...upload, id: exportIdOfKey(upload.key) }));
  const owners = await uploadOwners(
    database.prisma,
    uploads.flatMap(({ id }) => id ?? []),
  );
  const strays = uploads.filter(({ uploadId, begunAt, id }) => {
    const owner = id && owners.get(id);
    if (owner && (owner.hasEnded || owner.uploadId === uploadId)) return owner.uploadId !== uploadId;
    return begunAt.getTime() < Date.now() - (owner ? unwrittenUploadAgeMs : strayUploadAgeMs);
  });
  await forEach(deps, strays, (upload) => store.abortUpload(upload));
}

async function forgetKeys({ database }: SweepDeps): Promise<void> {
  await forgetIdempotencyKeys(database.prisma);
}

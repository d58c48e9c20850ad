import { markUploadForgotten, unfinishedUploads } from '../../prisma/exports/leftovers.ts';
import { forEachExport, type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Aborts uploads of exports that failed or were canceled, and deletes what a run may have published before it could say so. */
export async function abortUploads(deps: SweepDeps): Promise<void> {
  const { database, store } = deps;
  await forEachExport(
    deps,
    await unfinishedUploads(database.prisma, sweepLimit),
    async ({ id, storageKey, uploadId }) => {
      if (uploadId) await store.abortUpload({ key: storageKey, uploadId });
      await store.deleteObject(storageKey);
      await markUploadForgotten(database.prisma, id);
    },
  );
}

import { markFileDeleted } from '../../prisma/exports/end.ts';
import { undeletedFiles } from '../../prisma/exports/leftovers.ts';
import { forEachExport, type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Deletes the files of exports that have expired. */
export async function deleteFiles(deps: SweepDeps): Promise<void> {
  const { database, store } = deps;
  await forEachExport(deps, await undeletedFiles(database.prisma, sweepLimit), async ({ id, storageKey }) => {
    await store.deleteObject(storageKey);
    await markFileDeleted(database.prisma, id);
  });
}

import { exportIdOfKey } from '../../core/exports/stored-file.ts';
import { uploadOwners } from '../../prisma/exports/leftovers.ts';
import { forEachExport, type SweepDeps } from './sweep-deps.ts';

/** An upload that an unfinished export does not know may have been begun a moment ago, by a store whose clock is wrong. */
const unwrittenUploadAgeMs = 300_000;
/** An upload of no export we know: the database may be one that was restored, and the export one that it has lost. */
const strayUploadAgeMs = 3_600_000;

/** Aborts uploads that were begun by a run which died before it could write them down. */
export async function abortStrayUploads(deps: SweepDeps): Promise<void> {
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
  await forEachExport(deps, strays, (upload) => store.abortUpload(upload));
}

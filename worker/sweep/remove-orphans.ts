import { exportIdOfKey, exportsFolder, tenantIdOfKey } from '../../core/exports/stored-file.ts';
import { isUuid } from '../../core/ids.ts';
import type { ListedObject } from '../../core/storage/object-store.ts';
import { knownExports } from '../../prisma/exports/leftovers.ts';
import { readPlace, savePlace } from '../../prisma/exports/orphan-place.ts';
import { forEachExport, type SweepDeps } from './sweep-deps.ts';

/** A file of no export may be younger than a look at the database that is wrong; a day leaves time to notice and to stop. */
const orphanAgeMs = 24 * 3_600_000;

/** Milliseconds that one look takes; the next goes on where it has stopped. Shorter than the time between two. */
const lookLimitMs = 30 * 60_000;

/**
 * Removes files that no export knows, as after the restore of an older database: nothing else would ever find them. Looks at
 * keys as objectKey() makes them and at nothing else, and deletes only after the database has said of each that it does not
 * know its export. All files of an export bear its id, so those of one that is being made are known from its beginning.
 * A page of the listing is held at a time.
 */
export async function removeOrphans(deps: SweepDeps, { limitMs = lookLimitMs, pageSize = 1000 } = {}): Promise<void> {
  const { database, store } = deps;
  const endsAt = performance.now() + limitMs;
  let failure: Error | undefined;
  let place = await readPlace(database);
  for await (const page of store.listObjects(exportsFolder, { after: place, pageSize })) {
    const orphans = await orphansAmong(deps, page);
    // One that cannot be deleted must not keep those behind it.
    await forEachExport(deps, orphans, (file) => removeFile(deps, file)).catch((error) => {
      failure ??= error;
    });
    place = page.at(-1)?.key ?? place;
    await savePlace(database, place);
    if (performance.now() > endsAt) break;
    place = undefined;
  }
  await savePlace(database, place);
  if (failure) throw failure;
}

/** Those that are old enough and of an export that the database does not know. @throws whatever keeps it from answering */
async function orphansAmong({ database }: SweepDeps, page: ListedObject[]): Promise<{ id: string; key: string }[]> {
  const oldBefore = Date.now() - orphanAgeMs;
  const old = page.flatMap(({ key, modifiedAt }) => {
    const id = modifiedAt.getTime() < oldBefore ? exportIdOfKey(key) : undefined;
    return id !== undefined && isUuid(id) ? [{ id, key }] : [];
  });
  if (old.length === 0) return [];
  const ids = old.map(({ id }) => id);
  const known = await knownExports(database, ids);
  return old.filter(({ id }) => !known.has(id));
}

async function removeFile({ store, log }: SweepDeps, { id, key }: { id: string; key: string }): Promise<void> {
  await store.deleteObject(key);
  log.warn({ export_id: id, tenant_id: tenantIdOfKey(key) }, 'removed a file that no export knows');
}

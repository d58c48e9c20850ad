import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BegunUpload, Upload } from '../object-store.ts';
import { syncFolder } from './durable-file.ts';
import { isMissing, layout, ownFolder } from './layout.ts';

/** ObjectStore.abortUpload */
export const abortUpload = (directory: string, upload: Upload): Promise<void> =>
  discard(directory, layout.upload(directory, upload));

/** ObjectStore.deleteObject; folders that it leaves empty go too. Downloads under way keep their bytes to the end. */
export async function deleteObject(directory: string, key: string): Promise<void> {
  const folder = layout.object(directory, key);
  await discard(directory, folder);
  for (let parent = dirname(folder); parent !== layout.objects(directory); parent = dirname(parent)) {
    const removed = await rmdir(parent).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}

/** Milliseconds after which a folder without its upload.json is one whose maker was killed, not one that is being made. */
const halfMadeAgeMs = 3_600_000;

/** ObjectStore.listUploads; also removes what killed processes left half made or half removed. */
export async function listUploads(directory: string): Promise<BegunUpload[]> {
  const trash = layout.trash(directory);
  for (const name of await namesIn(trash)) await rm(join(trash, name), { recursive: true, force: true });
  const found: BegunUpload[] = [];
  const before = new Date(Date.now() - halfMadeAgeMs);
  for (const uploadId of await namesIn(layout.uploads(directory))) {
    const folder = join(layout.uploads(directory), uploadId);
    const about = await readUpload(folder);
    if (about) found.push({ ...about, uploadId });
    if (!about && (await isOlder(folder, before))) await discard(directory, folder);
  }
  return found;
}

/**
 * Takes a folder out of sight in one step, then removes it, so that nobody ever meets half of it: an abort and a
 * completion of the same upload at the same time have one winner. Quiet if it is gone already.
 */
export async function discard(directory: string, folder: string): Promise<void> {
  const trash = layout.trash(directory);
  await mkdir(trash, ownFolder);
  const grave = join(trash, randomUUID());
  try {
    await rename(folder, grave);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await syncFolder(dirname(folder));
  await rm(grave, { recursive: true, force: true });
}

async function readUpload(folder: string): Promise<{ key: string; begunAt: Date } | undefined> {
  try {
    const about = JSON.parse(await readFile(join(folder, layout.uploadFile), 'utf8'));
    return { key: about.key, begunAt: new Date(about.begunAt) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });

const isOlder = (folder: string, before: Date): Promise<boolean> =>
  stat(folder).then(
    ({ mtime }) => mtime < before,
    () => false,
  );

import { readFile, stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { ObjectInfo, Upload } from '../object-store.ts';

/**
 * How the file storage lies on disk:
 *
 *     objects/<key>.object/   content, object.json { etag }, upload.json
 *     uploads/<upload id>/    content, upload.json { key, contentType, begunAt }
 *     trash/<any>/            what is being removed; after a crash, what is still to be removed
 *
 * An object is a folder so that its bytes and its etag appear by one rename: there is no moment, and no crash, between
 * them. rename(2) refuses a target folder that holds something, which is what makes "create if absent" hold between
 * processes, on file systems without hard links too. The suffix keeps the keys `a` and `a/b` apart.
 */
export const layout = {
  /** @throws TypeError if the key could leave the storage */
  object: (directory: string, key: string) => join(directory, 'objects', `${checkKey(key)}.object`),
  objects: (directory: string) => join(directory, 'objects'),
  /** An id that is none of ours must not become a path: it gives a folder that is never there. */
  upload: (directory: string, { uploadId }: Upload) =>
    join(directory, 'uploads', /^[0-9a-f-]{36}$/.test(uploadId) ? uploadId : 'unknown'),
  uploads: (directory: string) => join(directory, 'uploads'),
  trash: (directory: string) => join(directory, 'trash'),
  content: 'content',
  objectFile: 'object.json',
  uploadFile: 'upload.json',
};

/** Exports are their tenants' data: no other user of the machine reads them. */
export const ownFolder = { recursive: true, mode: 0o700 } as const;
export const ownFileMode = 0o600;

/** What stands under a key; `folder` holds its bytes as `layout.content`. */
export type StoredObject = ObjectInfo & { folder: string };

/** Finds a complete object. @throws TypeError if the key could leave the storage */
export async function findStoredObject(directory: string, key: string): Promise<StoredObject | undefined> {
  const folder = layout.object(directory, key);
  try {
    const [{ size }, about] = await Promise.all([
      stat(join(folder, layout.content)),
      readFile(join(folder, layout.objectFile), 'utf8'),
    ]);
    return { bytes: size, etag: (JSON.parse(about) as { etag: string }).etag, folder };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether a file operation failed because what it names is not there. */
export const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(errorCode(error));

/** The system's code of a failed file operation, such as ENOSPC. */
export const errorCode = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

/** Whether a file operation failed for want of room: on the disk, or in the quota of the user. */
export const isFull = (error: unknown): boolean =>
  errorCode(error) === 'ENOSPC' || (error as { errno?: unknown } | null)?.errno === -constants.errno.EDQUOT;

/** Gives the key back if it names a place inside the storage that every file system takes. */
function checkKey(key: string): string {
  const segments = key.split('/');
  const hostile =
    /[\p{Cc}\\]/u.test(key) ||
    !key.isWellFormed() ||
    segments.some((segment) => ['', '.', '..'].includes(segment) || Buffer.byteLength(segment) > 240) ||
    segments.slice(0, -1).some((segment) => segment.endsWith('.object'));
  if (hostile) throw new TypeError(`Not a key of the file storage: ${JSON.stringify(key)}`);
  return key;
}

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Finding } from '../../findings.ts';
import type { CallOptions, ObjectStore } from '../object-store.ts';
import { errorCode, findStoredObject, isFull, layout, ownFileMode, ownFolder } from './layout.ts';
import { listObjects } from './listing.ts';
import { abortUpload, deleteObject, listUploads } from './removal.ts';
import { signPath } from './signed-path.ts';
import { readText, writeText } from './text.ts';
import { beginUpload, completeUpload, putPart } from './uploads.ts';

/** `linkKey` signs links: whoever serves them (api/files.ts) holds the same one. `publicUrl` is where that is reached. */
export type FileStoreOptions = { directory: string; publicUrl: string; linkKey: Buffer };

/**
 * The object store on a disk, for one machine or several that mount the same folder. Any process may be killed at any
 * point: parts that were acknowledged are on the disk, and completeUpload may be called again.
 * Keys that could leave the folder are refused with a TypeError.
 */
export function openFileStore(options: FileStoreOptions): ObjectStore {
  const directory = resolve(options.directory);
  const publicUrl = options.publicUrl.replace(/\/+$/, '');
  return {
    beginUpload: (key, contentType) => beginUpload(directory, key, contentType),
    putPart: (upload, part, call) => beforeItsEnd(call, () => putPart(directory, upload, part)),
    completeUpload: (upload, parts, call) => beforeItsEnd(call, () => completeUpload(directory, upload, parts)),
    abortUpload: (upload) => abortUpload(directory, upload),
    listUploads: () => listUploads(directory),
    listObjects: (prefix, page) => listObjects(directory, prefix, page),
    writeText: (key, text, call) => beforeItsEnd(call, () => writeText(directory, key, text)),
    readText: (key, call) => beforeItsEnd(call, () => readText(directory, key)),
    deleteObject: (key) => deleteObject(directory, key),
    check: () => probe(directory),
    inspect: () => inspect(directory),

    readObject: (key, { signal } = {}) =>
      createReadStream(join(layout.object(directory, key), layout.content), { highWaterMark: 1024 * 1024, signal }),

    async statObject(key) {
      const found = await findStoredObject(directory, key);
      return found && { bytes: found.bytes, etag: found.etag };
    },

    async signLink(key, { expiresInSeconds, now, contentType, contentDisposition }) {
      layout.object(directory, key);
      const expires = Math.floor((now?.getTime() ?? Date.now()) / 1000) + expiresInSeconds;
      const path = signPath(options.linkKey, { key, expires, contentType, contentDisposition });
      return { url: publicUrl + path, expiresAt: new Date(expires * 1000) };
    },

    async close() {},
  };
}

/** A disk does not keep anybody waiting: what was begun is done, and what was ended before is not begun. */
async function beforeItsEnd<T>({ signal }: CallOptions = {}, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  return work();
}

/** Bytes below which a disk counts as nearly full. */
const scarceBytes = 5 * 1024 ** 3;

async function inspect(directory: string): Promise<Finding[]> {
  const about = 'storage';
  try {
    await probe(directory);
  } catch (error) {
    const { message } = error as Error;
    return [{ level: 'failure', about, text: message, remedy: 'Follow the message, then run the doctor again.' }];
  }
  const { bavail, bsize } = await statfs(directory);
  if ((await stat(directory)).mode & 0o077) {
    const text = `Other users of this machine can look into ${directory}`;
    return [{ level: 'warning', about, text, remedy: `chmod -R go-rwx ${directory}` }];
  }
  const text = `${directory} can be written; ${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB are free`;
  if (bavail * bsize >= scarceBytes) return [{ level: 'ok', about, text }];
  return [{ level: 'warning', about, text, remedy: 'Free some space: an export whose file does not fit fails.' }];
}

async function probe(directory: string): Promise<void> {
  const path = join(directory, `probe-${randomUUID()}`);
  try {
    await mkdir(directory, ownFolder);
    await writeFile(path, path, { flag: 'wx', flush: true, mode: ownFileMode });
    const back = await readFile(path, 'utf8');
    if (back !== path) throw new Error('what was read back is not what was written');
    await rm(path);
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw new Error(`Files cannot be kept in ${directory}: ${remedy(error)}`, { cause: error });
  }
}

function remedy(error: unknown): string {
  if (isFull(error)) return 'the disk or the quota is full. Free some space, or point STORAGE_URL at another disk.';
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
      return `the user of this process (uid ${process.getuid?.() ?? 'unknown'}) may not write there. Give it the folder, or point STORAGE_URL at another one.`;
    case 'EROFS':
      return 'the file system is mounted read-only. Mount it for writing, or point STORAGE_URL at another one.';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'a file stands where a folder is needed. Move it away, or point STORAGE_URL at another folder.';
    default:
      return `${error instanceof Error ? error.message : error}. Correct that, or point STORAGE_URL at another folder.`;
  }
}

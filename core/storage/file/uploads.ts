import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Completion, NewPart, PartReceipt, Upload } from '../object-store.ts';
import { UploadGoneError } from '../object-store.ts';
import { syncFoldersUpTo, writeDurably } from './durable-file.ts';
import { errorCode, findStoredObject, isMissing, layout, ownFileMode, ownFolder } from './layout.ts';
import { discard } from './removal.ts';

/** ObjectStore.beginUpload. upload.json comes last: a folder without it is one whose maker was killed. */
export async function beginUpload(directory: string, key: string, contentType: string): Promise<Upload> {
  layout.object(directory, key);
  const upload = { key, uploadId: randomUUID() };
  const folder = layout.upload(directory, upload);
  await mkdir(folder, ownFolder);
  await writeFile(join(folder, layout.content), '', { flag: 'wx', mode: ownFileMode });
  const about = { key, contentType, begunAt: new Date().toISOString() };
  await writeDurably(join(folder, layout.uploadFile), JSON.stringify(about));
  return upload;
}

/**
 * ObjectStore.putPart: writes the bytes straight to their final place, so that completing an upload of any size copies
 * nothing. The bytes are on the disk before the receipt is given, as a receipt outlives a power cut in the caller's
 * checkpoint and completeUpload believes it. Writing in place has one price that S3 has not: a process that lost its
 * upload, and writes while another one completes it, still reaches the file. So two runs of one upload must have the
 * same bytes at the same offset, which a resumed export has to have anyway.
 */
export async function putPart(directory: string, upload: Upload, part: NewPart): Promise<PartReceipt> {
  const path = join(layout.upload(directory, upload), layout.content);
  const checksum = part.body.reduce((crc, chunk) => crc32(chunk, crc), 0);
  const bytes = part.body.reduce((sum, chunk) => sum + chunk.length, 0);
  try {
    await writeAt(path, part.offset, { body: part.body, bytes });
    // An abort or completion meanwhile has taken the file away from under this path.
    await access(path);
  } catch (error) {
    throw isMissing(error) ? new UploadGoneError(upload, error) : error;
  }
  return { partNumber: part.partNumber, etag: checksum.toString(16).padStart(8, '0'), bytes };
}

/**
 * ObjectStore.completeUpload: seals the upload's folder (length, etag, all on disk), then moves it to its key. Whoever
 * is killed on the way leaves either an upload that can be completed again or the object. An empty object has one empty
 * part, as in S3.
 * @throws Error if the parts are none, out of order, or more than what was put
 */
export async function completeUpload(directory: string, upload: Upload, parts: PartReceipt[]): Promise<Completion> {
  const etag = etagOf(parts);
  const target = layout.object(directory, upload.key);
  const standing = await findStoredObject(directory, upload.key);
  const created = !standing && (await seal(directory, upload, { parts, etag })) && (await move(directory, upload));
  // For 'exists' too: whoever created it may have been killed before this.
  const object = await findStoredObject(directory, upload.key);
  if (!object) throw new UploadGoneError(upload);
  await syncFoldersUpTo(directory, dirname(target));
  if (!created) await discard(directory, layout.upload(directory, upload));
  return { outcome: created ? 'created' : 'exists', object: { bytes: object.bytes, etag: object.etag } };
}

async function writeAt(
  path: string,
  offset: number,
  { body, bytes }: { body: Buffer[]; bytes: number },
): Promise<void> {
  const file = await open(path, 'r+');
  try {
    if (bytes === 0) return;
    const { bytesWritten } = await file.writev(body, offset);
    // A disk that is nearly full takes what fits, and only the next call says so.
    const rest = bytesWritten < bytes ? Buffer.concat(body) : undefined;
    for (let written = bytesWritten; rest && written < bytes; ) {
      written += (await file.write(rest, written, bytes - written, offset + written)).bytesWritten;
    }
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * In the form that S3 gives objects of parts: a hash over the parts' etags, and their number. Not MD5 as there: it would
 * take longer than writing the bytes does, and clients may read nothing into an etag.
 */
function etagOf(parts: PartReceipt[]): string {
  if (parts.length === 0)
    throw new Error('An upload is completed with one part at least; an empty object has one empty part');
  if (parts.some((part, i) => i > 0 && part.partNumber <= parts[i - 1]!.partNumber)) {
    throw new Error('The parts of an upload must be given in ascending order, each once');
  }
  const receipts = parts.map(({ etag, bytes }) => `${etag}:${bytes}`).join();
  return `${createHash('sha256').update(receipts).digest('hex').slice(0, 32)}-${parts.length}`;
}

/** Cuts off what a repeated, shorter last part left, and writes the etag beside the bytes. False if the upload is gone. */
async function seal(
  directory: string,
  upload: Upload,
  { parts, etag }: { parts: PartReceipt[]; etag: string },
): Promise<boolean> {
  const folder = layout.upload(directory, upload);
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  try {
    const file = await open(join(folder, layout.content), 'r+');
    try {
      const { size } = await file.stat();
      if (size < bytes) throw new Error(`Upload ${upload.uploadId} has ${size} bytes, but its parts make ${bytes}`);
      if (size > bytes) await file.truncate(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await writeDurably(join(folder, layout.objectFile), JSON.stringify({ etag }));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Makes the sealed upload the object, in one step. False if an object stands there already or the upload is gone. */
async function move(directory: string, upload: Upload): Promise<boolean> {
  const [from, to] = [layout.upload(directory, upload), layout.object(directory, upload.key)];
  while (await isThere(from)) {
    try {
      await mkdir(dirname(to), ownFolder);
      await rename(from, to);
      return true;
    } catch (error) {
      if (await findStoredObject(directory, upload.key)) return false;
      // Missing: the upload, or the folder just made, which a deletion of its neighbour may have removed as empty.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  return false;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

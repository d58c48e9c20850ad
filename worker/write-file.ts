import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { FinalError } from '../core/errors.ts';
import { endOfFile, frameRows } from '../core/exports/frame-rows.ts';
import { contentType } from '../core/exports/stored-file.ts';
import { type ObjectStore, type Upload, UploadGoneError } from '../core/storage/object-store.ts';
import type { BufferSource } from '../prisma/copy/buffers.ts';
import type { Scans } from '../prisma/copy/copy-options.ts';
import { type Checkpoint, loadCheckpoints, replaceUpload, saveCheckpoint } from '../prisma/exports/runs.ts';
import { keepWrittenBytes, reserveBytes } from '../prisma/exports/stored-bytes.ts';
import { contentOfRow } from '../prisma/exports/view.ts';
import { countRows } from '../prisma/rows/count.ts';
import { type FileChunk, readSegments } from '../prisma/rows/read-segments.ts';
import type { ExportRows } from '../prisma/rows/segments.ts';
import { compressPieces } from './compress.ts';
import type { ExportRun } from './export-run.ts';
import { meterCheckpoints, meterStore } from './meter-run.ts';
import { type WrittenFile, writeParts } from './write-parts.ts';

const compressionsInFlight = 3;
const countLimitMs = 1000;

/** A file that can be had, with the SHA-256 of what is stored. */
export type PublishedFile = WrittenFile & { sha256: string };

/** Writes the file of an export from its last checkpoint on and makes it visible. Ends when the lease's signal says so. */
export async function writeFile(running: ExportRun): Promise<PublishedFile> {
  const { deps, row, run, lease } = running;
  const content = contentOfRow(row);
  const rows: ExportRows = {
    tenantId: row.tenantId,
    asOfSequence: Number(row.asOfSequence),
    expiredThrough: Number(row.expiredThrough ?? 0),
    content,
    segmentRows: row.segmentRows,
  };
  void countRows(deps.database, rows, countLimitMs).then(lease.setTotal, () => {});
  const { upload, written } = await openUpload(running);
  const rowsBefore = written.at(-1)?.rows ?? 0;
  const meterCheckpoint = meterCheckpoints(deps.metrics, rowsBefore);
  try {
    lease.startWriting(rowsBefore);
    const file = await writeParts(
      blocksAfter(deps.scansFor(row.id, lease.signal), rows, { ...deps, last: written.at(-1), signal: lease.signal }),
      {
        store: meterStore(deps.metrics, deps.store),
        upload,
        written,
        plan: { firstPartBytes: Number(row.partBytes), maxParts: row.maxParts },
        partsInFlight: deps.partsInFlight,
        bytesInFlight: deps.bytesInFlight,
        signal: lease.storeSignal,
        reserve: reservation(running),
        async saveCheckpoint(checkpoint) {
          await saveCheckpoint(deps.database, run, checkpoint);
          meterCheckpoint(checkpoint);
        },
        onProgress: lease.setProgress,
      },
    );
    lease.signal.throwIfAborted();
    lease.startFinishing();
    return await publish(deps.store, upload, file, lease.storeSignal);
  } catch (error) {
    // The parts are gone with their upload: the next run begins a new one.
    if (error instanceof UploadGoneError) await replaceUpload(deps.database.prisma, run, '');
    throw error;
  }
}

/** From where on, by how many readers, into which buffers, and until when an export is read. */
type Reading = { last: Checkpoint | undefined; readers: number; buffers: BufferSource; signal: AbortSignal };

/** The file's bytes behind a checkpoint, or from the beginning. */
function blocksAfter(
  scans: Scans,
  rows: ExportRows,
  { last, readers, buffers, signal }: Reading,
): AsyncIterable<FileChunk> {
  if (last?.position === endOfFile) return Readable.from([]);
  const resumed = last !== undefined;
  const read = readSegments(scans, rows, {
    from: last?.position ?? { after: null, rows: 0 },
    readers,
    buffers,
    signal,
  });
  const pieces = frameRows(read, rows.content, { resumed, rowsBefore: last?.rows ?? 0 });
  return compressPieces(pieces, rows.content.compression, { inFlight: compressionsInFlight, resumed });
}

/** What reserves room for the file up to so many bytes, unless there is enough from before. */
function reservation({ deps, run }: ExportRun): (through: number) => Promise<void> {
  let reserved = 0;
  return async (through) => {
    if (through <= reserved) return;
    const granted = await reserveBytes(deps.database, run, { through, limits: deps.storeLimits });
    reserved = Math.max(reserved, granted);
  };
}

/** The upload of the run before with its parts, or a new one. An export that cannot be resumed always gets a new one. */
async function openUpload({ deps, row, run }: ExportRun): Promise<{ upload: Upload; written: Checkpoint[] }> {
  const { database, store } = deps;
  if (row.uploadId && row.resumable) {
    await keepWrittenBytes(database, run);
    const written = await loadCheckpoints(database.prisma, row.id);
    return { upload: { key: row.storageKey, uploadId: row.uploadId }, written };
  }
  if (row.uploadId) await store.abortUpload({ key: row.storageKey, uploadId: row.uploadId });
  const upload = await store.beginUpload(row.storageKey, contentType(contentOfRow(row)));
  await replaceUpload(database.prisma, run, upload.uploadId);
  return { upload, written: [] };
}

/** Makes the file visible. If one stands there already, a run before has made it and died before it could say so. */
async function publish(
  store: ObjectStore,
  upload: Upload,
  file: WrittenFile,
  signal: AbortSignal,
): Promise<PublishedFile> {
  const { outcome, object } = await store.completeUpload(upload, file.parts, { signal });
  if (outcome === 'exists') await store.abortUpload(upload);
  if (object.bytes !== file.bytes && outcome === 'created') {
    // The store has lost something of what it acknowledged: nobody has seen this file, so it can be made again.
    await store.deleteObject(upload.key);
    throw new UploadGoneError(upload, new Error(`${object.bytes} bytes were stored instead of ${file.bytes}`));
  }
  if (object.bytes !== file.bytes) {
    throw new FinalError(
      'stored_file_differs',
      `The stored file has ${object.bytes} bytes instead of ${file.bytes} (${outcome}).`,
    );
  }
  const hashed = outcome === 'created' ? file.sha256 : undefined;
  return { ...file, sha256: hashed ?? (await storedSha256(store, upload.key, signal)) };
}

/** Reads the file back: for one that several runs have written. */
async function storedSha256(store: ObjectStore, key: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of store.readObject(key, { signal })) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}

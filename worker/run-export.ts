import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { FinalError, isRetryable } from '../core/errors.ts';
import { attemptLimits, contentType } from '../core/exports.ts';
import type { Log } from '../core/log.ts';
import type { Queue } from '../core/queue.ts';
import { type ObjectStore, type Upload, UploadGoneError } from '../core/storage/object-store.ts';
import type { Database } from '../prisma/client.ts';
import { countRows } from '../prisma/export-count.ts';
import {
  CancelRequestedError,
  endExport,
  handBack,
  LeaseLostError,
  loadCheckpoints,
  type Run,
  replaceUpload,
  requeueFailed,
  saveCheckpoint,
  startExport,
} from '../prisma/export-runs.ts';
import { contentOfRow, type ExportError, type ExportRow } from '../prisma/export-view.ts';
import type { ExportRows } from '../prisma/segments.ts';
import { compressPieces } from './compress.ts';
import { frameRows, type Piece } from './frame-rows.ts';
import { holdLease, type Lease } from './hold-lease.ts';
import { readSegments } from './read-segments.ts';
import { type Checkpoint, endOfFile, type WrittenFile, writeParts } from './write-parts.ts';

/** What a run needs, and how much it may use. */
export type RunExportDeps = {
  database: Database;
  store: ObjectStore;
  queue: Queue;
  log: Log;
  leaseSeconds: number;
  readers: number;
  firstPartBytes: number;
  exportTtlSeconds: number;
};

/** How a call ended: `retry` asks to be called again after `delayMs`; `handed-back` that another process goes on. */
export type RunOutcome = { outcome: 'done' } | { outcome: 'handed-back' } | { outcome: 'retry'; delayMs: number };

/** The process stops: the reason with which the signal of a run is aborted. */
export class StoppingError extends Error {
  constructor() {
    super('The worker stops');
    this.name = 'StoppingError';
  }
}

const compressionsInFlight = 3;
const partsInFlight = 3;
const countLimitMs = 1000;
/** Waits between failed runs. */
const retryDelaysMs = [1_000, 5_000, 15_000, 60_000];

/**
 * Runs an export from where it stands to its end, or to the next obstacle. Any number of processes may be told to run
 * the same export: one does, the others leave it alone. Throws only when the database cannot be reached to say how it ended.
 */
export async function runExport(deps: RunExportDeps, exportId: string, stopping: AbortSignal): Promise<RunOutcome> {
  const claim = await startExport(deps.database, exportId, deps.leaseSeconds);
  if (claim.outcome === 'ended') return { outcome: 'done' };
  if (claim.outcome === 'held') return { outcome: 'retry', delayMs: claim.leaseMs + 500 };
  const { row, run } = claim;
  const log = deps.log.child({ export_id: row.id, tenant_id: row.tenantId, epoch: run.epoch });
  const lease = holdLease({ database: deps.database, run, leaseSeconds: deps.leaseSeconds, stopping });
  try {
    log.info({ crashes: row.crashes, failures: row.failures }, 'export started');
    if (row.cancelRequestedAt) throw new CancelRequestedError();
    refuseDeadlyExport(row);
    const file = await writeFile(deps, row, run, lease);
    await lease.release();
    await complete(deps, row, run, lease, file);
    log.info({ rows: file.rows, bytes: file.bytes }, 'export completed');
    return { outcome: 'done' };
  } catch (thrown) {
    await lease.release().catch(() => {});
    // When the lease ended the run, what the run then threw is only the echo.
    const error = lease.signal.aborted ? lease.signal.reason : thrown;
    return settle({ ...deps, log }, row, run, error);
  }
}

/** An export under which worker after worker dies would go on killing them. */
function refuseDeadlyExport(row: ExportRow): void {
  if (row.crashes < attemptLimits.crashes) return;
  throw new FinalError('worker_died', `${row.crashes} workers died while they ran this export; it is not tried again.`);
}

async function writeFile(deps: RunExportDeps, row: ExportRow, run: Run, lease: Lease): Promise<PublishedFile> {
  const content = contentOfRow(row);
  const rows: ExportRows = {
    tenantId: row.tenantId,
    asOfSequence: Number(row.asOfSequence),
    content,
    segmentRows: row.segmentRows,
  };
  void countRows(deps.database, rows, countLimitMs).then(lease.setTotal, () => {});
  const { upload, written } = await openUpload(deps, row, run);
  try {
    lease.startWriting(written.at(-1)?.rows ?? 0);
    const file = await writeParts(blocksAfter(deps, rows, written.at(-1), lease.signal), {
      store: deps.store,
      upload,
      written,
      firstPartBytes: deps.firstPartBytes,
      partsInFlight,
      saveCheckpoint: (checkpoint) => saveCheckpoint(deps.database, run, checkpoint),
      onProgress: lease.setProgress,
    });
    lease.signal.throwIfAborted();
    return await publish(deps.store, upload, file, lease.signal);
  } catch (error) {
    // The parts are gone with their upload: the next run begins a new one.
    if (error instanceof UploadGoneError) await replaceUpload(deps.database.prisma, run, '');
    throw error;
  }
}

/** The file's bytes behind a checkpoint, or from the beginning. */
function blocksAfter(
  deps: RunExportDeps,
  rows: ExportRows,
  last: Checkpoint | undefined,
  signal: AbortSignal,
): AsyncIterable<Piece> {
  if (last?.position === endOfFile) return Readable.from([]);
  const resumed = last !== undefined;
  const slabs = readSegments(deps.database, rows, {
    from: last?.position ?? { after: null, rows: 0 },
    readers: deps.readers,
    signal,
  });
  const pieces = frameRows(slabs, rows.content, { resumed, rowsBefore: last?.rows ?? 0 });
  return compressPieces(pieces, rows.content.compression, { inFlight: compressionsInFlight, resumed });
}

/** The upload of the run before with its parts, or a new one. An export that cannot be resumed always gets a new one. */
async function openUpload(
  deps: RunExportDeps,
  row: ExportRow,
  run: Run,
): Promise<{ upload: Upload; written: Checkpoint[] }> {
  const { database, store } = deps;
  if (row.uploadId && row.resumable) {
    const written = (await loadCheckpoints(database.prisma, row.id)).map((saved) => ({
      ...saved,
      position: saved.position as Checkpoint['position'],
    }));
    return { upload: { key: row.storageKey, uploadId: row.uploadId }, written };
  }
  if (row.uploadId) await store.abortUpload({ key: row.storageKey, uploadId: row.uploadId });
  const upload = await store.beginUpload(row.storageKey, contentType(contentOfRow(row)));
  await replaceUpload(database.prisma, run, upload.uploadId);
  return { upload, written: [] };
}

/** A file that can be had, with the SHA-256 of what is stored. */
type PublishedFile = WrittenFile & { sha256: string };

/** Makes the file visible. If one stands there already, a run before has made it and died before it could say so. */
async function publish(
  store: ObjectStore,
  upload: Upload,
  file: WrittenFile,
  signal: AbortSignal,
): Promise<PublishedFile> {
  const { outcome, object } = await store.completeUpload(upload, file.parts);
  if (outcome === 'exists') await store.abortUpload(upload);
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
  for await (const chunk of store.readObject(key)) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest('hex');
}

async function complete(
  deps: RunExportDeps,
  row: ExportRow,
  run: Run,
  lease: Lease,
  file: PublishedFile,
): Promise<void> {
  const expiresIn = (row.request as { expires_in?: number }).expires_in ?? deps.exportTtlSeconds;
  const deliveries = await endExport(deps.database.prisma, run, {
    status: 'completed',
    rows: file.rows,
    bytes: file.bytes,
    sha256: file.sha256,
    progress: lease.finalProgress(file.rows, file.bytes),
    expiresAt: new Date(Date.now() + expiresIn * 1000),
  });
  await ringDeliveries(deps, deliveries);
}

/** Decides what a failed run means for its export; the one place that does. */
async function settle(deps: RunExportDeps, row: ExportRow, run: Run, error: unknown): Promise<RunOutcome> {
  const { prisma } = deps.database;
  try {
    if (error instanceof LeaseLostError) {
      deps.log.warn('another run has taken the export over');
      return { outcome: 'done' };
    }
    if (error instanceof StoppingError) {
      await handBack(prisma, run);
      return { outcome: 'handed-back' };
    }
    if (error instanceof CancelRequestedError) {
      return await giveUp(deps, row, run, { status: 'canceled' });
    }
    return await settleFailure(deps, row, run, error);
  } catch (failure) {
    if (failure instanceof LeaseLostError) return { outcome: 'done' };
    throw failure;
  }
}

async function settleFailure(deps: RunExportDeps, row: ExportRow, run: Run, error: unknown): Promise<RunOutcome> {
  const retryable = isRetryable(error) && row.failures + 1 < attemptLimits.failures;
  const told: ExportError = {
    code: error instanceof FinalError ? error.code : 'run_failed',
    message: publicMessage(error),
    retryable,
  };
  deps.log.error({ err: error, retryable }, 'export run failed');
  if (!retryable) return giveUp(deps, row, run, { status: 'failed', error: told });
  const delayMs = retryDelaysMs[Math.min(row.failures, retryDelaysMs.length - 1)]!;
  await requeueFailed(deps.database.prisma, run, told, new Date(Date.now() + delayMs));
  return { outcome: 'retry', delayMs };
}

/** What the tenant is told. The inner text may hold SQL and host names, so it stays in the log. */
const publicMessage = (error: unknown): string =>
  error instanceof FinalError
    ? error.message
    : 'The run failed; the log of the worker says why. It is tried again unless "retryable" is false.';

/** Ends the export without a file. */
async function giveUp(
  deps: RunExportDeps,
  row: ExportRow,
  run: Run,
  end: { status: 'canceled' } | { status: 'failed'; error: ExportError },
): Promise<RunOutcome> {
  await forgetUpload(deps, row.id);
  const deliveries = await endExport(deps.database.prisma, run, end);
  // One may stand there complete. Not before the end is written: a newer run could be about to need it.
  await deps.store.deleteObject(row.storageKey).catch((err) => deps.log.warn({ err }, 'file not deleted yet'));
  await ringDeliveries(deps, deliveries);
  return { outcome: 'done' };
}

/** Gives the parts of an ended export back. The sweep does it again if this fails. */
async function forgetUpload({ database, store, log }: RunExportDeps, exportId: string): Promise<void> {
  const row = await database.prisma.export.findUnique({ where: { id: exportId } });
  if (!row?.uploadId) return;
  await store
    .abortUpload({ key: row.storageKey, uploadId: row.uploadId })
    .catch((err) => log.warn({ err }, 'upload not aborted yet'));
}

async function ringDeliveries({ queue, log }: RunExportDeps, ids: string[]): Promise<void> {
  for (const id of ids)
    await queue.ringDelivery(id).catch((err) => log.warn({ err, delivery_id: id }, 'delivery not rung for'));
}

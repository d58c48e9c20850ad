import { within } from '../core/async/within.ts';
import { attemptLimits } from '../core/exports/exports.ts';
import type { JobResult } from '../core/queue/queue.ts';
import { StoreFullError } from '../core/storage/store-full.ts';
import { announce } from '../prisma/exports/end.ts';
import {
  CancelRequestedError,
  endExport,
  handBack,
  heldUpload,
  LeaseLostError,
  requeueFailed,
  type SignReceipt,
  tellNobody,
} from '../prisma/exports/runs.ts';
import { markStoreFull } from '../prisma/exports/store-room.ts';
import { keepNoBytes, keepWrittenBytes } from '../prisma/exports/stored-bytes.ts';
import { contentOfRow, type ExportError, requestOf } from '../prisma/exports/view.ts';
import { savepoint } from '../prisma/savepoint.ts';
import type { EndedRun, ExportRun } from './export-run.ts';
import { HandBackError } from './hold-lease.ts';
import { countRun, meterCompletion } from './meter-run.ts';
import { judgeFailure } from './retry-policy.ts';
import type { PublishedFile } from './write-file.ts';

/** Milliseconds for the store to remove what an export leaves. */
const removalLimitMs = 1_500;

/** Ends the export as completed. @throws LeaseLostError */
export async function completeRun(running: ExportRun, file: PublishedFile, signReceipt: SignReceipt): Promise<void> {
  const { deps, row, run, lease } = running;
  const expiresIn = requestOf(row).expires_in ?? deps.exportTtlSeconds;
  const deliveries = await endExport(deps.database.prisma, run, {
    status: 'completed',
    rows: file.rows,
    bytes: file.bytes,
    neutralizedCells: contentOfRow(row).csv.formulas === 'neutralize' ? file.neutralizedCells : null,
    sha256: file.sha256,
    progress: lease.finalProgress(file.rows, file.bytes),
    expiresInMs: expiresIn * 1000,
    signReceipt,
  });
  meterCompletion(deps.metrics, row);
  countRun(deps.metrics, 'completed');
  await enqueueDeliveries(running, deliveries);
}

/**
 * Writes down what a run that did not complete means for its export. Throws only when the database cannot be reached to say
 * so.
 */
export async function settleRun(ended: EndedRun, error: unknown): Promise<JobResult> {
  try {
    if (error instanceof LeaseLostError) return leaveToOther(ended);
    if (error instanceof HandBackError) return await handBackRun(ended, error);
    if (error instanceof CancelRequestedError) return await giveUp(ended, { status: 'canceled' });
    return await settleFailure(ended, error);
  } catch (failure) {
    if (failure instanceof LeaseLostError) return leaveToOther(ended);
    // The cancel came between the end of the run and now.
    if (failure instanceof CancelRequestedError) return settleRun(ended, failure);
    throw failure;
  }
}

function leaveToOther({ log, deps }: EndedRun): JobResult {
  log.warn('another run has taken the export over');
  countRun(deps.metrics, 'lease_lost');
  return { outcome: 'done' };
}

async function handBackRun({ deps, run, log }: EndedRun, error: HandBackError): Promise<JobResult> {
  log.info(error.message);
  await keepWrittenBytes(deps.database, run);
  await handBack(deps.database.prisma, run);
  countRun(deps.metrics, error.reason === 'the worker stops' ? 'handed_back' : 'gave_way');
  return { outcome: 'handed-back' };
}

async function settleFailure(ended: EndedRun, error: unknown): Promise<JobResult> {
  const { deps, row, run, log } = ended;
  const verdict = judgeFailure(error, row.failures);
  log.error({ err: error, retryable: verdict.error.retryable }, 'export run failed');
  if (error instanceof StoreFullError) await markStoreFull(deps.database);
  if (verdict.outcome === 'failed') return giveUp(ended, { status: 'failed', error: verdict.error });
  const { delayMs } = verdict;
  await keepWrittenBytes(deps.database, run);
  await requeueFailed(deps.database.prisma, run, verdict.error, delayMs);
  countRun(deps.metrics, 'retried');
  return { outcome: 'retry', delayMs };
}

/** Ends the export without a file. */
async function giveUp(
  ended: EndedRun,
  end: { status: 'canceled' } | { status: 'failed'; error: ExportError },
): Promise<JobResult> {
  const { deps, row, run } = ended;
  await forgetUpload(ended);
  const deliveries = await endExport(deps.database.prisma, run, end, tellerOf(ended));
  countRun(deps.metrics, end.status);
  deps.metrics.add('logferry_exports_ended_total', 1, { outcome: end.status });
  // One may stand there complete. Not before the end is written: a newer run could be about to need it.
  await removed(ended, 'the deletion of the file', deps.store.deleteObject(row.storageKey));
  await enqueueDeliveries(ended, deliveries);
  return { outcome: 'done' };
}

/**
 * Who died once more after the last attempt died of telling that it failed. And what cannot be told must not keep the export
 * from its end.
 */
function tellerOf({ row, log }: EndedRun): typeof announce {
  if (row.crashes > attemptLimits.crashes) return tellNobody;
  return (tx, ended) =>
    savepoint(tx, () => announce(tx, ended)).catch((err) => {
      log.error({ err }, 'webhooks are not told of the end of the export');
      return [];
    });
}

/** Gives the parts of an export that ends back, and the room that they had. @throws LeaseLostError */
async function forgetUpload(ended: EndedRun): Promise<void> {
  const { database, store } = ended.deps;
  const upload = await heldUpload(database.prisma, ended.run);
  if (!upload) return;
  const isAborted = await removed(ended, 'the abort of the upload', store.abortUpload(upload));
  if (isAborted) await keepNoBytes(database, ended.run);
}

/** Waits for the store a little: what it does not do now, the sweep has it do, and a cancel must not wait for it. */
async function removed({ log }: EndedRun, what: string, removal: Promise<void>): Promise<boolean> {
  return within(removalLimitMs, what, removal).then(
    () => true,
    (err) => {
      log.warn({ err }, 'left to the sweep');
      return false;
    },
  );
}

async function enqueueDeliveries({ deps, log }: EndedRun, ids: string[]): Promise<void> {
  for (const id of ids)
    await deps.queue
      .enqueueDelivery(id)
      .catch((err) => log.warn({ err, delivery_id: id }, 'delivery not enqueued; the sweep does it'));
}

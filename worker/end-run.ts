import { within } from '../core/async/within.ts';
import { FinalError, isRetryable } from '../core/errors.ts';
import { attemptLimits } from '../core/exports/exports.ts';
import type { JobResult } from '../core/queue/queue.ts';
import {
  CancelRequestedError,
  endExport,
  handBack,
  heldUpload,
  LeaseLostError,
  type Run,
  requeueFailed,
} from '../prisma/exports/runs.ts';
import { type ExportError, type ExportRow, requestOf } from '../prisma/exports/view.ts';
import { HandBackError, type Lease } from './hold-lease.ts';
import { countRun, meterCompletion } from './meter-run.ts';
import type { RunExportDeps } from './run-export.ts';
import type { PublishedFile } from './write-file.ts';

/** Waits between failed runs. */
const retryDelaysMs = [1_000, 5_000, 15_000, 60_000];

/** Milliseconds for the store to remove what an export leaves. */
const removalLimitMs = 1_500;

/** Ends the export as completed. @throws LeaseLostError */
export async function completeRun(
  deps: RunExportDeps,
  row: ExportRow,
  run: Run,
  lease: Lease,
  file: PublishedFile,
): Promise<void> {
  const expiresIn = requestOf(row).expires_in ?? deps.exportTtlSeconds;
  const deliveries = await endExport(deps.database.prisma, run, {
    status: 'completed',
    rows: file.rows,
    bytes: file.bytes,
    sha256: file.sha256,
    progress: lease.finalProgress(file.rows, file.bytes),
    expiresAt: new Date(Date.now() + expiresIn * 1000),
  });
  meterCompletion(deps.metrics, row);
  countRun(deps.metrics, 'completed');
  await enqueueDeliveries(deps, deliveries);
}

/**
 * Decides what a run that did not complete means for its export; the one place that does. Throws only when the database
 * cannot be reached to say so.
 */
export async function settleRun(deps: RunExportDeps, row: ExportRow, run: Run, error: unknown): Promise<JobResult> {
  const { prisma } = deps.database;
  try {
    if (error instanceof LeaseLostError) {
      return leaveToOther(deps);
    }
    if (error instanceof HandBackError) {
      deps.log.info(error.message);
      await handBack(prisma, run);
      countRun(deps.metrics, error.reason === 'the worker stops' ? 'handed_back' : 'gave_way');
      return { outcome: 'handed-back' };
    }
    if (error instanceof CancelRequestedError) {
      return await giveUp(deps, row, run, { status: 'canceled' });
    }
    return await settleFailure(deps, row, run, error);
  } catch (failure) {
    if (failure instanceof LeaseLostError) return leaveToOther(deps);
    // The cancel came between the end of the run and now.
    if (failure instanceof CancelRequestedError) return settleRun(deps, row, run, failure);
    throw failure;
  }
}

function leaveToOther({ log, metrics }: RunExportDeps): JobResult {
  log.warn('another run has taken the export over');
  countRun(metrics, 'lease_lost');
  return { outcome: 'done' };
}

async function settleFailure(deps: RunExportDeps, row: ExportRow, run: Run, error: unknown): Promise<JobResult> {
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
  countRun(deps.metrics, 'retried');
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
): Promise<JobResult> {
  await forgetUpload(deps, run);
  const deliveries = await endExport(deps.database.prisma, run, end);
  countRun(deps.metrics, end.status);
  deps.metrics.add('logferry_exports_ended_total', 1, { outcome: end.status });
  // One may stand there complete. Not before the end is written: a newer run could be about to need it.
  await removed(deps, 'the deletion of the file', deps.store.deleteObject(row.storageKey));
  await enqueueDeliveries(deps, deliveries);
  return { outcome: 'done' };
}

/** Gives the parts of an export that ends back. @throws LeaseLostError */
async function forgetUpload(deps: RunExportDeps, run: Run): Promise<void> {
  const upload = await heldUpload(deps.database.prisma, run);
  if (upload) await removed(deps, 'the abort of the upload', deps.store.abortUpload(upload));
}

/** Waits for the store a little: what it does not do now, the sweep has it do, and a cancel must not wait for it. */
async function removed({ log }: RunExportDeps, what: string, removal: Promise<void>): Promise<void> {
  await within(removalLimitMs, what, removal).catch((err) => log.warn({ err }, 'left to the sweep'));
}

async function enqueueDeliveries({ queue, log }: RunExportDeps, ids: string[]): Promise<void> {
  for (const id of ids)
    await queue.enqueueDelivery(id).catch((err) => log.warn({ err, delivery_id: id }, 'delivery not enqueued'));
}

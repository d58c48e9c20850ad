import { FinalError, isRetryable } from '../core/errors.ts';
import { attemptLimits } from '../core/exports/exports.ts';
import type { JobResult } from '../core/queue/queue.ts';
import { endErasure, requeueErasure } from '../prisma/erasures/end.ts';
import type { ErasureRow } from '../prisma/erasures/find.ts';
import { claimErasure, ErasureLostError, eraseInBatches, renewStatistics } from '../prisma/erasures/run.ts';
import { markFileDeleted } from '../prisma/exports/end.ts';
import type { RunExportDeps } from './export-run.ts';

/** Milliseconds of one turn, then those of other tenants get theirs; a process that stops waits for no more. */
const turnMs = 2_000;
/** Milliseconds between failed runs. */
const retryMs = 5_000;

/**
 * Makes what goes on with erasures, one at a time in this process: one connection and one of its runs, so that exports always
 * have the others. Each call claims an erasure and goes on with it for a while; undefined if none waits, or one is under way.
 * Erasures are woken by the jobs of exports: which one a job is for does not matter to either.
 */
export function erasureTurns(deps: RunExportDeps, stopping: AbortSignal): () => Promise<JobResult | undefined> {
  let isBusy = false;
  return async () => {
    if (isBusy || stopping.aborted) return undefined;
    isBusy = true;
    try {
      const row = await claimErasure(deps.database, deps.leaseSeconds);
      return row && (await runErasure(deps, row));
    } finally {
      isBusy = false;
    }
  };
}

async function runErasure(deps: RunExportDeps, row: ErasureRow): Promise<JobResult> {
  const log = deps.log.child({ erasure_id: row.id, tenant_id: row.tenantId, epoch: row.epoch });
  const running = { ...deps, log };
  try {
    return await takeTurn(running, row);
  } catch (err) {
    if (err instanceof ErasureLostError) return { outcome: 'done' };
    log.error({ err }, 'erasure failed');
    return settle(running, row, err);
  }
}

async function takeTurn(deps: RunExportDeps, row: ErasureRow): Promise<JobResult> {
  const { database, log, metrics } = deps;
  const turn = { until: performance.now() + turnMs, leaseSeconds: deps.leaseSeconds };
  const { erased, isDone } = await eraseInBatches(database, row, turn);
  metrics.add('logferry_events_erased_total', erased);
  if (isDone) {
    const ignored = (err: unknown) => log.warn({ err }, 'run "analyze events": its statistics may name erased values');
    await renewStatistics(database, row).catch(ignored);
    await cleanUp(deps, await endErasure(database.prisma, row, { status: 'completed' }));
    metrics.add('logferry_erasures_ended_total', 1, { outcome: 'completed' });
    log.info('erasure completed');
  } else {
    await requeueErasure(database.prisma, row);
  }
  // Of an erasure that waited for this one the job has been in vain: this one calls for it.
  return { outcome: 'handed-back' };
}

/** All of it may be left to the sweep. */
async function cleanUp(
  { database, store, queue, log }: RunExportDeps,
  { deliveries, restarted, uploads, files }: Awaited<ReturnType<typeof endErasure>>,
): Promise<void> {
  const left = (err: unknown) => log.warn({ err }, 'left to the sweep');
  for (const id of restarted) await queue.enqueueExport(id).catch(left);
  for (const id of deliveries) await queue.enqueueDelivery(id).catch(left);
  for (const upload of uploads) await store.abortUpload(upload).catch(left);
  for (const { id, storageKey } of files)
    await store.deleteObject(storageKey).then(() => markFileDeleted(database.prisma, id), left);
}

async function settle(deps: RunExportDeps, row: ErasureRow, error: unknown): Promise<JobResult> {
  const { prisma } = deps.database;
  if (isRetryable(error) && row.failures + 1 < attemptLimits.failures) {
    await requeueErasure(prisma, row, retryMs);
    return { outcome: 'retry', delayMs: retryMs };
  }
  const { code, message } =
    error instanceof FinalError
      ? error
      : { code: 'run_failed', message: 'The erasure failed; the log of the worker says why. Ask for it again.' };
  try {
    await cleanUp(deps, await endErasure(prisma, row, { status: 'failed', error: { code, message } }));
    deps.metrics.add('logferry_erasures_ended_total', 1, { outcome: 'failed' });
  } catch (err) {
    if (!(err instanceof ErasureLostError)) throw err;
  }
  return { outcome: 'done' };
}

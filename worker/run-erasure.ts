import { FinalError, isRetryable } from '../core/errors.ts';
import { attemptLimits } from '../core/exports/exports.ts';
import type { JobResult } from '../core/queue/queue.ts';
import type { ErasureRow } from '../prisma/erasures/find.ts';
import {
  claimErasure,
  completeErasure,
  ErasureLostError,
  eraseInBatches,
  failErasure,
  requeueErasure,
} from '../prisma/erasures/run.ts';
import { markFileDeleted } from '../prisma/exports/end.ts';
import type { RunExportDeps } from './export-run.ts';

/** Milliseconds of one turn; then others get the worker. */
const turnMs = 5_000;
/** Milliseconds between failed runs. */
const retryMs = 5_000;

/**
 * Claims an erasure and goes on with it for a while; undefined if none waits. Erasures are woken by the jobs of exports: which
 * one a job is for does not matter to either.
 */
export async function runErasure(deps: RunExportDeps, stopping: AbortSignal): Promise<JobResult | undefined> {
  if (stopping.aborted) return undefined;
  const row = await claimErasure(deps.database, deps.leaseSeconds);
  if (!row) return undefined;
  const log = deps.log.child({ erasure_id: row.id, tenant_id: row.tenantId, epoch: row.epoch });
  try {
    const turn = { until: performance.now() + turnMs, leaseSeconds: deps.leaseSeconds };
    if (!(await eraseInBatches(deps.database, row, turn))) {
      await requeueErasure(deps.database.prisma, row);
      return { outcome: 'handed-back' };
    }
    await complete(deps, row);
    log.info('erasure completed');
    return { outcome: 'done' };
  } catch (err) {
    if (err instanceof ErasureLostError) return { outcome: 'done' };
    log.error({ err }, 'erasure failed');
    return settle(deps, row, err);
  }
}

async function complete({ database, store, queue, log }: RunExportDeps, row: ErasureRow): Promise<void> {
  const { deliveries, restarted, uploads, expired } = await completeErasure(database.prisma, row);
  const left = (err: unknown) => log.warn({ err, erasure_id: row.id }, 'left to the sweep');
  for (const id of restarted) await queue.enqueueExport(id).catch(left);
  for (const id of deliveries) await queue.enqueueDelivery(id).catch(left);
  for (const upload of uploads) await store.abortUpload(upload).catch(left);
  for (const id of expired) {
    const { storageKey } = await database.prisma.export.findUniqueOrThrow({ where: { id } });
    await store.deleteObject(storageKey).then(() => markFileDeleted(database.prisma, id), left);
  }
}

async function settle({ database }: RunExportDeps, row: ErasureRow, error: unknown): Promise<JobResult> {
  if (isRetryable(error) && row.failures + 1 < attemptLimits.failures) {
    await requeueErasure(database.prisma, row, new Date(Date.now() + retryMs));
    return { outcome: 'retry', delayMs: retryMs };
  }
  const told =
    error instanceof FinalError
      ? error
      : { code: 'run_failed', message: 'The erasure failed; the log of the worker says why.' };
  await failErasure(database.prisma, row, { code: told.code, message: told.message });
  return { outcome: 'done' };
}

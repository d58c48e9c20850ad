import { FinalError } from '../core/errors.ts';
import { attemptLimits } from '../core/exports/exports.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { JobResult, Queue } from '../core/queue/queue.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import type { Database } from '../prisma/client.ts';
import type { BufferSource } from '../prisma/copy/buffers.ts';
import type { ScansFor } from '../prisma/copy/scan-shares.ts';
import { claimExport } from '../prisma/exports/claim.ts';
import { CancelRequestedError } from '../prisma/exports/runs.ts';
import type { ExportRow } from '../prisma/exports/view.ts';
import { completeRun, settleRun } from './end-run.ts';
import { holdLease } from './hold-lease.ts';
import { meterRun } from './meter-run.ts';
import { writeFile } from './write-file.ts';

/** What a run needs, and how much it may use. */
export type RunExportDeps = {
  database: Database;
  /** Through what rows are read, for each export. */
  scansFor: ScansFor;
  /** Into what they are read, by all exports. */
  buffers: BufferSource;
  store: ObjectStore;
  queue: Queue;
  log: Log;
  metrics: Metrics;
  leaseSeconds: number;
  yieldAfterSeconds: number;
  readers: number;
  partsInFlight: number;
  bytesInFlight: number;
  exportTtlSeconds: number;
};

/**
 * Runs the export whose turn it is, from where it stands to its end or to the next obstacle. There is a ring for each
 * unfinished export, but which one a ring was for does not matter: so a tenant who has queued a thousand does not come a
 * thousand times before the next. Throws only when the database cannot be reached to say how it ended.
 */
export async function runExport(deps: RunExportDeps, stopping: AbortSignal): Promise<JobResult> {
  const claim = await claimExport(deps.database, deps.leaseSeconds);
  if (claim.outcome === 'none') {
    return claim.lapsesInMs === undefined ? { outcome: 'done' } : { outcome: 'retry', delayMs: claim.lapsesInMs + 100 };
  }
  const { row, run } = claim;
  const log = deps.log.child({ export_id: row.id, tenant_id: row.tenantId, epoch: run.epoch });
  const { leaseSeconds, yieldAfterSeconds } = deps;
  const meterEnd = meterRun(deps.metrics, row, run);
  const lease = holdLease({ database: deps.database, run, leaseSeconds, yieldAfterSeconds, stopping });
  try {
    log.info({ crashes: row.crashes, failures: row.failures }, 'export started');
    if (row.cancelRequestedAt) throw new CancelRequestedError();
    refuseDeadlyExport(row);
    const file = await writeFile(deps, row, run, lease);
    await lease.release();
    await completeRun(deps, row, run, lease, file);
    log.info({ rows: file.rows, bytes: file.bytes }, 'export completed');
    return { outcome: 'done' };
  } catch (thrown) {
    await lease.release().catch(() => {});
    // When the lease ended the run, what the run then threw is only the echo.
    const error = lease.signal.aborted ? lease.signal.reason : thrown;
    return await settleRun({ ...deps, log }, row, run, error);
  } finally {
    meterEnd();
  }
}

/** An export under which worker after worker dies would go on killing them. */
function refuseDeadlyExport(row: ExportRow): void {
  if (row.crashes < attemptLimits.crashes) return;
  throw new FinalError('worker_died', `${row.crashes} workers died while they ran this export; it is not tried again.`);
}

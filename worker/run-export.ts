import type { JobResult } from '../core/queue/queue.ts';
import packageJson from '../package.json' with { type: 'json' };
import { claimExport } from '../prisma/exports/claim.ts';
import { CancelRequestedError, type Claim } from '../prisma/exports/runs.ts';
import { prepareReceipt } from '../prisma/receipts/prepare-receipt.ts';
import { completeRun, settleRun } from './end-run.ts';
import type { ExportRun, RunExportDeps } from './export-run.ts';
import { holdLease } from './hold-lease.ts';
import { meterRun } from './meter-run.ts';
import { refuseDeadlyExport } from './retry-policy.ts';
import { writeFile } from './write-file.ts';

/**
 * Claims an export and runs it from where it stands to its end or to the next obstacle. There is a job for each unfinished
 * export, but which one a job is for does not matter: so a tenant who has queued a thousand does not come a thousand times
 * before the next. Throws only when the database cannot be reached to say how it ended.
 */
export async function runExport(deps: RunExportDeps, stopping: AbortSignal): Promise<JobResult> {
  const claim = await claimExport(deps.database, deps.leaseSeconds);
  if (claim.outcome === 'none') {
    return claim.lapsesInMs === undefined ? { outcome: 'done' } : { outcome: 'retry', delayMs: claim.lapsesInMs + 100 };
  }
  const meterEnd = meterRun(deps.metrics, claim.row, claim.run);
  const running = beginRun(deps, claim, stopping);
  const { lease } = running;
  try {
    await runToEnd(running);
    return { outcome: 'done' };
  } catch (thrown) {
    await lease.release().catch(() => {});
    // When the lease ended the run, what the run then threw is only the echo.
    return await settleRun(running, lease.signal.aborted ? lease.signal.reason : thrown);
  } finally {
    meterEnd();
  }
}

function beginRun(
  deps: RunExportDeps,
  { row, run }: Extract<Claim, { outcome: 'started' }>,
  stopping: AbortSignal,
): ExportRun {
  const { database, leaseSeconds, yieldAfterSeconds } = deps;
  const log = deps.log.child({ export_id: row.id, tenant_id: row.tenantId, epoch: run.epoch });
  return { deps, row, run, log, lease: holdLease({ database, run, leaseSeconds, yieldAfterSeconds, stopping }) };
}

async function runToEnd(running: ExportRun): Promise<void> {
  const { row, lease, log } = running;
  log.info({ crashes: row.crashes, failures: row.failures }, 'export started');
  if (row.cancelRequestedAt) throw new CancelRequestedError();
  refuseDeadlyExport(row.crashes);
  const file = await writeFile(running);
  const signReceipt = await prepareReceipt({ ...running.deps, log }, row, {
    rows: file.rows,
    software: { name: packageJson.name, version: packageJson.version },
    signal: lease.signal,
  });
  await lease.release();
  await completeRun(running, file, signReceipt);
  log.info({ rows: file.rows, bytes: file.bytes }, 'export completed');
}

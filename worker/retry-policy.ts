import { FinalError, isRetryable } from '../core/errors.ts';
import { attemptLimits } from '../core/exports/exports.ts';
import type { ExportError } from '../prisma/exports/view.ts';
import { isFull } from '../prisma/outage.ts';

/** Waits in ms between failed runs; the last one is repeated. */
const retryDelaysMs = [1_000, 5_000, 15_000, 60_000];

/** What a failed run means for its export, and what its tenant is told of it. */
export type Verdict =
  | { outcome: 'retry'; delayMs: number; error: ExportError }
  | { outcome: 'failed'; error: ExportError };

/**
 * Whether a failed run is repeated and when: the one place that decides. Everything is, but what the input itself causes,
 * up to attemptLimits.failures runs.
 * @param failures runs of this export that failed before this one
 */
export function judgeFailure(error: unknown, failures: number): Verdict {
  const retryable = isRetryable(error) && failures + 1 < attemptLimits.failures;
  const told = { ...publicReason(error), retryable };
  if (!retryable) return { outcome: 'failed', error: told };
  return { outcome: 'retry', delayMs: retryDelaysMs[Math.min(failures, retryDelaysMs.length - 1)]!, error: told };
}

/** What the tenant is told. The inner text may hold SQL and host names, so it stays in the log. */
function publicReason(error: unknown): { code: string; message: string } {
  if (error instanceof FinalError) return { code: error.code, message: error.message };
  const again = 'It is tried again unless "retryable" is false.';
  if (isFull(error)) {
    return {
      code: 'storage_full',
      message: `The database has no room for what this export needs to be sorted. ${again}`,
    };
  }
  return { code: 'run_failed', message: `The run failed; the log of the worker says why. ${again}` };
}

/**
 * An export under which worker after worker dies would go on killing them.
 * @param crashes workers that died while they ran it
 * @throws FinalError worker_died
 */
export function refuseDeadlyExport(crashes: number): void {
  if (crashes < attemptLimits.crashes) return;
  throw new FinalError('worker_died', `${crashes} workers died while they ran this export; it is not tried again.`);
}

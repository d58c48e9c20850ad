import type { Database } from '../prisma/client.ts';
import { shouldYield } from '../prisma/exports/claim.ts';
import { LeaseLostError, type Run, renewLease } from '../prisma/exports/runs.ts';
import { type Progress, queuedProgress } from '../prisma/exports/view.ts';
import type { RowCount } from '../prisma/rows/count.ts';

/** The run ends for reasons that are not its own, and its export goes on elsewhere or later from its last checkpoint. */
export class HandBackError extends Error {
  readonly reason: 'the worker stops' | 'other tenants wait';

  constructor(reason: HandBackError['reason']) {
    super(`Handed back, because ${reason}`);
    this.name = 'HandBackError';
    this.reason = reason;
  }
}

/** The hold of a run on its export, and the one place that knows how far the run is. */
export type Lease = {
  /** Aborted when the run must end: the lease is lost, a cancel was asked for, or the export is to be handed back. */
  signal: AbortSignal;
  /** Aborted when calls to the store must end, too. They get some time if the export goes on elsewhere. */
  storeSignal: AbortSignal;
  setTotal(count: RowCount): void;
  startWriting(rowsBefore: number): void;
  setProgress(rows: number, bytes: number): void;
  /** All is written; what is left is to make the file visible. */
  startFinishing(): void;
  finalProgress(rows: number, bytes: number): Progress;
  /** Stops renewing and waits for a renewal under way. The export stays held until the lease runs out. */
  release(): Promise<void>;
};

/** Progress is written, and a cancel is heard, this often. */
const renewEveryMs = 1000;
/**
 * What parts under way get to be stored in before an export is handed back; a stopping process has 10 s in all. So do those
 * of a run that has lost its export: whoever goes on puts the same bytes, and a server may take half a part, sent again and
 * cut off, for the whole.
 */
const storeGraceMs = 5_000;

/** Renews the lease every second and writes the progress with it, until released. */
export function holdLease({
  database,
  run,
  leaseSeconds,
  yieldAfterSeconds,
  stopping,
}: {
  database: Database;
  run: Run;
  leaseSeconds: number;
  yieldAfterSeconds: number;
  stopping: AbortSignal;
}): Lease {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, stopping]);
  const store = graciously(signal);
  const mayYieldFrom = performance.now() + yieldAfterSeconds * 1000;
  let progress: Progress = { ...queuedProgress, phase: 'counting' };
  let writingSince = 0;
  let rowsBefore = 0;
  let renewedAt = performance.now();
  let renewal: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const rate = (rows: number): number | null => {
    const seconds = (performance.now() - writingSince) / 1000;
    return writingSince && rows > rowsBefore ? Math.round((rows - rowsBefore) / Math.max(seconds, 0.001)) : null;
  };
  const renew = async () => {
    try {
      await renewLease(database, run, leaseSeconds, { ...progress, rows_per_second: rate(progress.rows) });
      renewedAt = performance.now();
      if (renewedAt > mayYieldFrom && (await shouldYield(database, run, yieldAfterSeconds))) {
        ended.abort(new HandBackError('other tenants wait'));
      }
    } catch (error) {
      // The database may be away for a moment; only when the lease has run out may another worker have begun.
      const lapsed = performance.now() - renewedAt > leaseSeconds * 1000;
      const isVerdict = error instanceof Error && ['LeaseLostError', 'CancelRequestedError'].includes(error.name);
      if (isVerdict) ended.abort(error);
      else if (lapsed) ended.abort(new LeaseLostError(run));
    }
  };
  const schedule = () => {
    timer = setTimeout(() => {
      renewal = renew().then(() => {
        if (timer && !signal.aborted) schedule();
      });
    }, renewEveryMs);
  };
  schedule();

  return {
    signal,
    storeSignal: store.signal,
    setTotal: (count) => {
      progress = { ...progress, total_rows: count.rows, total_is: count.is };
    },
    startWriting: (rows) => {
      progress = { ...progress, phase: 'writing', rows };
      rowsBefore = rows;
      writingSince = performance.now();
    },
    setProgress: (rows, bytes) => {
      progress = { ...progress, rows, bytes };
    },
    startFinishing: () => {
      progress = { ...progress, phase: 'finishing' };
    },
    finalProgress: (rows, bytes) => ({
      phase: 'done',
      rows,
      total_rows: rows,
      total_is: 'exact',
      bytes,
      rows_per_second: rate(rows),
    }),
    async release() {
      clearTimeout(timer);
      timer = undefined;
      store.release();
      await renewal;
    },
  };
}

/** Follows `signal`: at once if the export is to end, some time later if it goes on elsewhere. */
function graciously(signal: AbortSignal): { signal: AbortSignal; release(): void } {
  const later = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const follow = () => {
    const goesOn = signal.reason instanceof HandBackError || signal.reason instanceof LeaseLostError;
    const graceMs = goesOn ? storeGraceMs : 0;
    timer = setTimeout(() => later.abort(signal.reason), graceMs);
  };
  signal.addEventListener('abort', follow, { once: true });
  if (signal.aborted) follow();
  return {
    signal: later.signal,
    release: () => {
      signal.removeEventListener('abort', follow);
      clearTimeout(timer);
    },
  };
}

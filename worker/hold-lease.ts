import type { Database } from '../prisma/client.ts';
import type { RowCount } from '../prisma/export-count.ts';
import { LeaseLostError, type Run, renewLease } from '../prisma/export-runs.ts';
import { type Progress, queuedProgress } from '../prisma/export-view.ts';

/** The process stops: the reason with which the signal of a run is aborted. */
export class StoppingError extends Error {
  constructor() {
    super('The worker stops');
    this.name = 'StoppingError';
  }
}

/** The hold of a run on its export, and the one place that knows how far the run is. */
export type Lease = {
  /** Aborted when the run must end: the lease is lost, a cancel was asked for, or the process stops. */
  signal: AbortSignal;
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

/** Renews the lease every second and writes the progress with it, until released. */
export function holdLease({
  database,
  run,
  leaseSeconds,
  stopping,
}: {
  database: Database;
  run: Run;
  leaseSeconds: number;
  stopping: AbortSignal;
}): Lease {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, stopping]);
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
      await renewal;
    },
  };
}

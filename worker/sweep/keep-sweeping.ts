import type { Metrics } from '../../core/metrics.ts';
import { takeSweep } from '../../prisma/exports/leftovers.ts';
import { duties, rareDuties } from './sweep.ts';
import type { SweepDeps } from './sweep-deps.ts';

/** Milliseconds that a stopping process gives a duty under way; whatever it leaves, the next sweep of any worker does. */
const stopGraceMs = 3_000;

export type Sweeping = {
  /** Milliseconds since some duty last ended, or was found to be somebody else's. */
  silentMs(): number;
  stop(): Promise<void>;
};

/**
 * Does every duty of the sweep again and again, each by itself: a store that hangs keeps no export from being enqueued again.
 * Of all workers one does a duty at a time, `everySeconds` after it was begun last, so that a hundred of them ask the
 * database and the store no more often than one; a rare duty less often, however many start meanwhile.
 */
export function keepSweeping(deps: SweepDeps, everySeconds: number): Sweeping {
  let sweptAt = performance.now();
  const stops = Object.entries(duties).map(([duty, run]) =>
    repeat(async () => {
      try {
        if (await takeSweep(deps.database, duty, rareDuties[duty] ?? everySeconds)) {
          await run(deps);
          meterDuty(deps.metrics, duty, 'ok');
        }
      } catch (err) {
        meterDuty(deps.metrics, duty, 'failed');
        deps.log.warn({ err, duty }, 'sweep');
      }
      sweptAt = performance.now();
    }, everySeconds * 1000),
  );
  return {
    silentMs: () => performance.now() - sweptAt,
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

function meterDuty(metrics: Metrics, duty: string, outcome: 'ok' | 'failed'): void {
  metrics.add('logferry_sweep_duties_total', 1, { duty, outcome });
  if (outcome === 'ok') metrics.set('logferry_sweep_last_success_timestamp_seconds', Date.now() / 1000, { duty });
}

/** Calls `work` at once and then `everyMs` after the call before has ended. Gives what stops it and waits for the last call. */
function repeat(work: () => Promise<void>, everyMs: number): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let current: Promise<void>;
  const next = () => {
    current = work().finally(() => {
      if (!isStopped) timer = setTimeout(next, everyMs);
    });
  };
  next();
  return async () => {
    isStopped = true;
    clearTimeout(timer);
    let grace: NodeJS.Timeout | undefined;
    await Promise.race([current, new Promise((resolve) => (grace = setTimeout(resolve, stopGraceMs)))]);
    clearTimeout(grace);
  };
}

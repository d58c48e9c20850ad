import { takeSweep } from '../prisma/sweep.ts';
import { duties, type SweepDeps } from './sweep.ts';

/** Milliseconds that a stopping process gives a duty under way; whatever it leaves, the next sweep of any worker does. */
const stopGraceMs = 3_000;

/**
 * Does every duty of the sweep again and again, each by itself: a store that hangs keeps no export from being rung for.
 * Of all workers one does a duty at a time, `everySeconds` after it was begun last, so that a hundred of them ask the
 * database and the store no more often than one.
 */
export function keepSweeping(deps: SweepDeps, everySeconds: number): { stop(): Promise<void> } {
  const stops = Object.entries(duties).map(([name, run]) =>
    repeat(async () => {
      try {
        if (await takeSweep(deps.database, name, everySeconds)) await run(deps);
      } catch (err) {
        deps.log.warn({ err, duty: name }, 'sweep');
      }
    }, everySeconds * 1000),
  );
  return {
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
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

import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../core/log.ts';
import type { Figures } from '../../core/metrics.ts';
import { type ForkedWorker, forkWorker } from './fork-worker.ts';

export type KeptWorker = {
  /** When the first one works. Fails with a StartError, whose message is for the user. */
  ready: Promise<void>;
  /** What the one that works now has counted. Fails while there is none. */
  figures(): Promise<Figures>;
  stop(): Promise<void>;
};

/** Milliseconds until the next start: doubled with each that fails, and short again after one that has worked for a while. */
const pause = { firstMs: 1_000, mostMs: 30_000, steadyMs: 60_000 };

/** Keeps one worker process at work: one that ends by itself is replaced, and meanwhile the API goes on. */
export function keepWorker({ environment, log }: { environment: NodeJS.ProcessEnv; log: Log }): KeptWorker {
  const stopping = new AbortController();
  let current = forkWorker(environment);
  const { ready } = current;
  const kept = ready.then(
    () => replaceWhenEnded(),
    () => {},
  );

  async function replaceWhenEnded(): Promise<void> {
    for (let failed = 0; ; failed++) {
      const startedAt = performance.now();
      const { code, signal } = await current.ended;
      if (performance.now() - startedAt > pause.steadyMs) failed = 0;
      if (stopping.signal.aborted) return;
      log.error(
        { pid: current.pid, ending: signal ?? code },
        'the worker process ended by itself; another one is started',
      );
      await delay(Math.min(pause.firstMs * 2 ** failed, pause.mostMs), undefined, { signal: stopping.signal }).catch(
        () => {},
      );
      if (stopping.signal.aborted) return;
      current = forkWorker(environment);
      tellOfStart(current);
    }
  }

  const tellOfStart = ({ pid, ready }: ForkedWorker) =>
    void ready.then(
      () => log.info({ pid }, 'another worker process works'),
      (err) => stopping.signal.aborted || log.error({ err, pid }, 'the worker process cannot start'),
    );

  return {
    ready,
    figures: () => current.figures(),
    async stop() {
      stopping.abort();
      await current.stop();
      await kept;
    },
  };
}

import { setTimeout as delay } from 'node:timers/promises';
import { isOutage } from './outage.ts';

/** How long work is tried again while the database is away, and how long to wait between two tries, which grows. */
export type Patience = { limitMs: number; signal?: AbortSignal };

const waits = { firstMs: 100, longestMs: 4_000 };

/**
 * Does `work`, again and again while the database cannot be reached. Only for work that may be repeated.
 * @throws what the last try threw, once `limitMs` milliseconds have been waited; the signal's reason when it is aborted
 */
export async function untilReachable<T>(work: () => Promise<T>, { limitMs, signal }: Patience): Promise<T> {
  let waitedMs = 0;
  for (let waitMs = waits.firstMs; ; waitMs = Math.min(2 * waitMs, waits.longestMs)) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (!isOutage(error) || waitedMs >= limitMs) throw error;
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => signal?.throwIfAborted());
      waitedMs += waitMs;
    }
  }
}

import { MemoryStore, type Store } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import { within } from '../../core/async/within.ts';
import type { Log } from '../../core/log.ts';
import type { RedisCounter } from '../../core/queue/redis-counter.ts';

/** Milliseconds. */
const times = {
  /** That a request waits for its count; more is taken for an outage. */
  patience: 250,
  /** Between two looks at whether Redis is back. */
  pause: 1_000,
};

/**
 * Counts in Redis, for all processes together. While Redis is away each process counts by itself: a limit that is too high
 * for a while harms nobody, and no request waits for Redis to come back.
 */
export function sharedCounts(counter: RedisCounter, log: Log): Store {
  const shared = new RedisStore({ prefix: counter.prefix, sendCommand: counter.send });
  const own = new MemoryStore();
  let isAway = false;
  let nextLook = 0;

  function lookForIt(): void {
    if (performance.now() < nextLook) return;
    nextLook = performance.now() + times.pause;
    const back = () => {
      isAway = false;
      log.info('rate limits are counted together again');
    };
    counter.send('PING').then(back, () => {});
  }
  const where = (): Store => {
    if (isAway) lookForIt();
    return isAway ? own : shared;
  };
  return {
    prefix: counter.prefix,
    init(options) {
      own.init(options);
      void shared.init(options);
    },
    async increment(key) {
      if (where() === own) return await own.increment(key);
      try {
        return await within(times.patience, 'an answer of Redis', shared.increment(key));
      } catch (err) {
        if (!isAway) log.warn({ err }, 'rate limits are counted by each process, as Redis does not answer');
        isAway = true;
        nextLook = performance.now() + times.pause;
        return await own.increment(key);
      }
    },
    // Asked for by the interface; every request counts here, so nothing is ever taken back.
    decrement: (key) => where().decrement(key),
    resetKey: (key) => where().resetKey(key),
    shutdown: () => own.shutdown(),
  };
}

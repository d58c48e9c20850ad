import { expect } from 'vitest';
import type { Call } from '../api/start-app.ts';

/** Writes event after event, and says how long the slowest took. */
export function keepWriting(call: Call) {
  let isOver = false;
  let longest = 0;
  const writing = (async () => {
    while (!isOver) {
      const begun = performance.now();
      expect((await call('/v1/events', { json: { action: 'written.meanwhile' } })).status).toBe(201);
      longest = Math.max(longest, performance.now() - begun);
    }
  })();
  return {
    async longestMs(): Promise<number> {
      isOver = true;
      await writing;
      return longest;
    },
  };
}

import { expect, test } from 'vitest';
import { reconnectAfterMs } from '../../../core/queue/redis-connection.ts';

test('the wait before a new connection doubles from a tenth of a second to two, and is never the same for all', () => {
  for (const [times, least] of [
    [1, 100],
    [2, 200],
    [4, 800],
    [6, 2000],
    [100_000, 2000],
  ] as const) {
    const waits = Array.from({ length: 50 }, () => reconnectAfterMs(times));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...waits)).toBeLessThanOrEqual(least * 1.1);
    expect(new Set(waits).size).toBeGreaterThan(1);
  }
});

import { describe, expect, it } from 'vitest';
import { retryStrategy } from '../../../../core/storage/s3/retries.ts';

type ErrorInfo = Parameters<ReturnType<typeof retryStrategy>['refreshRetryTokenForRetry']>[1];

/** The waits in milliseconds before each further attempt, until there is none. */
async function waitsAfter(info: ErrorInfo, attempts = 5): Promise<number[]> {
  const strategy = retryStrategy(attempts);
  const waits: number[] = [];
  let token = await strategy.acquireInitialRetryToken('');
  for (;;) {
    const next = await strategy.refreshRetryTokenForRetry(token, info).catch(() => undefined);
    if (!next) return waits;
    waits.push(next.getRetryDelay());
    token = next;
  }
}
const named = (name: string) => Object.assign(new Error(name), { name }) as ErrorInfo['error'];

describe('Calls of S3 that failed', () => {
  it('are made five times in all, with waits that grow and are never the same', async () => {
    const waits = await waitsAfter({ errorType: 'TRANSIENT' });
    expect(waits).toHaveLength(4);
    for (const [i, base] of [200, 400, 800, 1600].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(base / 2);
      expect(waits[i]).toBeLessThanOrEqual(base);
    }
    expect(await waitsAfter({ errorType: 'TRANSIENT' })).not.toEqual(waits);
  });

  it('wait longer when S3 asks to slow down, and ten seconds at most', async () => {
    const waits = await waitsAfter({ errorType: 'THROTTLING' }, 8);
    expect(waits[0]).toBeGreaterThanOrEqual(500);
    expect(Math.max(...waits)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
  });

  it('wait as long as they are asked to, ten seconds at most', async () => {
    const inThree = new Date(Date.now() + 3_000);
    expect((await waitsAfter({ errorType: 'TRANSIENT', retryAfterHint: inThree }))[0]).toBeGreaterThan(2_500);
    const inAnHour = new Date(Date.now() + 3_600_000);
    expect((await waitsAfter({ errorType: 'TRANSIENT', retryAfterHint: inAnHour }))[0]).toBe(10_000);
  });

  it('are made again after bytes that broke on the way, though S3 calls that a mistake of ours', async () => {
    expect(await waitsAfter({ errorType: 'CLIENT_ERROR', error: named('BadDigest') })).toHaveLength(4);
  });

  it.each(['NoSuchUpload', 'AccessDenied', 'InvalidPart'])('are not made again after %s', async (name) => {
    expect(await waitsAfter({ errorType: 'CLIENT_ERROR', error: named(name) })).toEqual([]);
  });

  it('are not made again by a check', async () => {
    expect(await waitsAfter({ errorType: 'TRANSIENT' }, 1)).toEqual([]);
  });
});

import { expect, it } from 'vitest';
import { untilReachable } from '../../prisma/until-reachable.ts';

const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

/** Fails so often, then gives how often it was asked. */
const failing = (times: number, error: () => Error = away) => {
  let calls = 0;
  return Object.assign(
    async () => {
      if (++calls <= times) throw error();
      return calls;
    },
    { calls: () => calls },
  );
};

it('tries again while the database is away', async () => {
  expect(await untilReachable(failing(3), { limitMs: 10_000 })).toBe(4);
});

it('gives up once it has waited for the limit, with the last error', async () => {
  const work = failing(100);
  await expect(untilReachable(work, { limitMs: 250 })).rejects.toThrow('ECONNREFUSED');
  // At once, after 100 and after 200 milliseconds.
  expect(work.calls()).toBe(3);
});

it('passes on other errors at once', async () => {
  const work = failing(1, () => new Error('syntax error'));
  await expect(untilReachable(work, { limitMs: 10_000 })).rejects.toThrow('syntax error');
  expect(work.calls()).toBe(1);
});

it('waits no longer when it is stopped', async () => {
  const stop = new AbortController();
  const waiting = untilReachable(failing(100), { limitMs: 60_000, signal: stop.signal });
  stop.abort(new Error('not any more'));
  await expect(waiting).rejects.toThrow('not any more');
});

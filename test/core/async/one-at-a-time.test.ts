import { expect, it } from 'vitest';
import { oneAtATime } from '../../../core/async/one-at-a-time.ts';

it('runs works of one key one after the other, in the order of their coming, whatever becomes of them', async () => {
  const turn = oneAtATime();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const works = [
    turn('a', async () => {
      seen.push('first begins');
      await first.promise;
      seen.push('first fails');
      throw new Error('its own matter');
    }).catch((error: Error) => error.message),
    turn('a', async () => void seen.push('second')),
    turn('b', async () => void seen.push('another key')),
  ];
  await works[2];
  expect(seen).toEqual(['first begins', 'another key']);
  first.resolve();
  expect((await Promise.all(works))[0]).toBe('its own matter');
  expect(seen).toEqual(['first begins', 'another key', 'first fails', 'second']);
  expect(await turn('a', async () => 'later')).toBe('later');
});

import { expect, test } from 'vitest';
import { TooLateError, within } from '../../../core/async/within.ts';

test('gives what the work gives in time, and throws what it throws', async () => {
  expect(await within(1000, 'work', Promise.resolve('done'))).toBe('done');
  await expect(within(1000, 'work', Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});

test('says what took too long, and how long', async () => {
  const error = await within(10, 'an answer', new Promise(() => {})).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(TooLateError);
  expect((error as Error).message).toBe('an answer took more than 10 ms');
});

test('drops what the work throws later', async () => {
  const unhandled: unknown[] = [];
  const hear = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', hear);
  const { promise, reject } = Promise.withResolvers<void>();
  await expect(within(10, 'work', promise)).rejects.toThrow(TooLateError);
  reject(new Error('too late'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', hear);
  expect(unhandled).toEqual([]);
});

import { expect, it } from 'vitest';
import { sharedSlots } from '../../../core/async/shared-slots.ts';

/** Works that run until they are ended by name. */
function works(most: number, mostOfOne: number) {
  const inSlot = sharedSlots(most, mostOfOne);
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  return {
    begun,
    begin(name: string) {
      const end = Promise.withResolvers<void>();
      ends.set(name, end);
      return inSlot(name[0]!, async () => {
        begun.push(name);
        await end.promise;
        return name;
      });
    },
    async end(name: string, error?: Error) {
      if (error) ends.get(name)!.reject(error);
      else ends.get(name)!.resolve();
      // Everything that follows from it is microtasks.
      await new Promise(setImmediate);
    },
  };
}

it('lets no key have more than its share while there is room for others', async () => {
  const { begun, begin, end } = works(4, 2);
  const all = ['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'c2'].map(begin);
  await new Promise(setImmediate);
  expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
  await end('b1');
  expect(begun.slice(4)).toEqual(['c2']);
  await end('a1');
  expect(begun.slice(5)).toEqual(['a3']);
  for (const name of ['a2', 'a3', 'c1', 'c2', 'a4']) await end(name);
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'c2']);
});

it('gives the slot on when a work fails, and the error to its caller', async () => {
  const { begun, begin, end } = works(1, 1);
  const failing = begin('a1');
  const next = begin('b1');
  const failure = expect(failing).rejects.toThrow('broken');
  await end('a1', new Error('broken'));
  await failure;
  expect(begun).toEqual(['a1', 'b1']);
  await end('b1');
  expect(await next).toBe('b1');
});

import { expect, it } from 'vitest';
import { reusedBuffers } from '../../../prisma/copy/buffers.ts';

it('gives a chunk again that was given back, and keeps no more than it may', () => {
  const buffers = reusedBuffers(8, 2);
  const given = Array.from({ length: 3 }, () => buffers.take());
  expect(new Set(given).size).toBe(3);
  for (const each of given) buffers.giveBack(each);
  const again = Array.from({ length: 3 }, () => buffers.take());
  expect(again.filter((each) => given.includes(each))).toHaveLength(2);
  expect(again.every((each) => each.length === 8)).toBe(true);
});

import { expect, it } from 'vitest';
import { partBytes } from '../../worker/part-sizes.ts';

const mebibyte = 1024 * 1024;
const tebibyte = 1024 ** 4;
const bytesOf = (plan: { firstPartBytes: number; maxParts: number }) =>
  Array.from({ length: plan.maxParts }, (_, i) => partBytes(i + 1, plan));

it('cuts parts so that 10,000 of them hold more than an object of S3 may have', () => {
  const parts = bytesOf({ firstPartBytes: 8 * mebibyte, maxParts: 10_000 });
  expect(parts.reduce((a, b) => a + b)).toBeGreaterThan(5 * tebibyte);
});

it('cuts 8 MiB for the first 8 GiB, and no part smaller than the one before', () => {
  const parts = bytesOf({ firstPartBytes: 8 * mebibyte, maxParts: 10_000 });
  expect(new Set(parts.slice(0, 1000))).toEqual(new Set([8 * mebibyte]));
  expect(parts.every((bytes, i) => i === 0 || bytes >= parts[i - 1]!)).toBe(true);
});

it.each([5, 8, 64, 1024])('cuts no part that S3 would refuse when the first have %i MiB', (mib) => {
  for (const maxParts of [10, 1000, 10_000]) {
    const parts = bytesOf({ firstPartBytes: mib * mebibyte, maxParts });
    expect(Math.max(...parts)).toBeLessThanOrEqual(5 * 1024 * mebibyte);
  }
});

it('holds a hundred times what as many parts of the first size would, however few there may be', () => {
  const plan = { firstPartBytes: 5 * mebibyte, maxParts: 20 };
  expect(bytesOf(plan).reduce((a, b) => a + b)).toBeGreaterThan(100 * plan.firstPartBytes * plan.maxParts);
});

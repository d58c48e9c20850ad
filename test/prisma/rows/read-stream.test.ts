import { describe, expect, it } from 'vitest';
import { segmentSizes } from '../../../prisma/rows/read-stream.ts';

const mebibyte = 1024 * 1024;

describe('Segments of a stream', () => {
  it('begin small, and grow step by step to what fits', () => {
    const { nextRows, onRead } = segmentSizes(() => 8 * mebibyte, 20_000);
    const sizes: number[] = [];
    for (let i = 0; i < 5; i++) {
      const rows = nextRows();
      sizes.push(rows);
      onRead(rows, rows * 500);
    }
    expect(sizes).toEqual([1000, 4000, 12_582, 12_582, 12_582]);
  });

  it('shrink to one event where events are as large as what may be kept', () => {
    const { nextRows, onRead } = segmentSizes(() => mebibyte, 20_000);
    onRead(nextRows(), 1000 * mebibyte);
    expect(nextRows()).toBe(1);
    onRead(1, 16 * mebibyte);
    expect(nextRows()).toBe(1);
    onRead(1, 1000);
    expect(nextRows()).toBe(4);
  });

  it('follow the share of memory as streams come and go', () => {
    let share = 8 * mebibyte;
    const { nextRows, onRead } = segmentSizes(() => share, 20_000);
    for (let i = 0; i < 4; i++) onRead(nextRows(), nextRows() * 1000);
    expect(nextRows()).toBe(6291);
    share = mebibyte;
    onRead(nextRows(), nextRows() * 1000);
    expect(nextRows()).toBe(786);
  });

  it('grow to the most where nothing matches, and never beyond', () => {
    const { nextRows, onRead } = segmentSizes(() => mebibyte, 20_000);
    for (let i = 0; i < 5; i++) onRead(nextRows(), 0);
    expect(nextRows()).toBe(20_000);
    expect(segmentSizes(() => mebibyte, 7).nextRows()).toBe(7);
  });
});

import { describe, expect, it } from 'vitest';
import { firstIdOf, isUuid, newId } from '../../core/ids.ts';

describe('newId', () => {
  it('makes UUIDs of version 7, each later one sorting after the ones before', () => {
    const ids = Array.from({ length: 50_000 }, newId);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids.every(isUuid)).toBe(true);
  });

  it('begins with the time in milliseconds', () => {
    const before = Date.now();
    const time = Number.parseInt(newId().replace('-', '').slice(0, 12), 16);
    // Many ids at once run ahead of the clock a little.
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThan(before + 1000);
  });
});

describe('firstIdOf', () => {
  it('stands between the ids made before a time and those made from it on', () => {
    const id = newId();
    const ms = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
    expect(isUuid(firstIdOf(ms))).toBe(true);
    expect(firstIdOf(ms) <= id).toBe(true);
    expect(id < firstIdOf(ms + 1)).toBe(true);
  });
});

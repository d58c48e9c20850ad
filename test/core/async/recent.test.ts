import { describe, expect, it } from 'vitest';
import { keepRecent } from '../../../core/async/recent.ts';

describe('keepRecent', () => {
  function counting(
    values: Record<string, string | undefined>,
    options: { most?: number; keepMissing?: boolean } = {},
  ) {
    const clock = { ms: 0 };
    const loads: string[] = [];
    const load = async (key: string) => {
      loads.push(key);
      return values[key];
    };
    return { clock, loads, values, recent: keepRecent(load, { maxAgeMs: 3000, clock: () => clock.ms, ...options }) };
  }

  it('loads once while the value is fresh, and again when it is not', async () => {
    const { clock, loads, values, recent } = counting({ a: 'old' });
    expect(await recent.get('a')).toBe('old');
    values.a = 'new';
    clock.ms = 2999;
    expect(await recent.get('a')).toBe('old');
    clock.ms = 3000;
    expect(await recent.get('a')).toBe('new');
    expect(loads).toEqual(['a', 'a']);
  });

  it('shares one load among calls that come together', async () => {
    const { loads, recent } = counting({ a: 'value' });
    expect(await Promise.all([recent.get('a'), recent.get('a'), recent.get('a')])).toEqual(['value', 'value', 'value']);
    expect(loads).toEqual(['a']);
  });

  it('remembers what is missing, unless told not to', async () => {
    const remembering = counting({});
    const forgetting = counting({}, { keepMissing: false });
    for (const { recent } of [remembering, forgetting]) for (let i = 0; i < 3; i++) await recent.get('none');
    expect(remembering.loads).toEqual(['none']);
    expect(forgetting.loads).toEqual(['none', 'none', 'none']);
  });

  it('keeps a good one while made-up ones flood in', async () => {
    const { loads, recent } = counting({ good: 'value' }, { most: 4 });
    await recent.get('good');
    for (let i = 0; i < 100; i++) await recent.get(`made up ${i}`);
    await recent.get('good');
    expect(loads.filter((key) => key === 'good')).toHaveLength(1);
  });

  it('drops the oldest when there are too many', async () => {
    const { loads, recent } = counting({ a: '1', b: '2', c: '3' }, { most: 2 });
    for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await recent.get(key);
    expect(loads).toEqual(['a', 'b', 'c', 'a']);
  });

  it('does not keep a failure', async () => {
    let failing = true;
    const recent = keepRecent(async () => (failing ? Promise.reject(new Error('down')) : 'up'), { maxAgeMs: 3000 });
    await expect(recent.get('a')).rejects.toThrow('down');
    failing = false;
    expect(await recent.get('a')).toBe('up');
  });

  it('does not keep a load that began before it was told to forget', async () => {
    const gate = Promise.withResolvers<string>();
    const answers = [gate.promise, Promise.resolve('after')];
    const recent = keepRecent(() => answers.shift()!, { maxAgeMs: 3000 });
    const before = recent.get('a');
    recent.forget();
    gate.resolve('before');
    expect(await before).toBe('before');
    expect(await recent.get('a')).toBe('after');
  });
});

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keptSecret, secretKey } from '../../core/secret-key.ts';

const fresh = () => secretKey(randomBytes(32).toString('base64'));

it('opens what it has sealed, and nothing that was changed or sealed with another key', () => {
  const key = fresh();
  const sealed = key.seal('für dich 🔑');
  expect(key.open(sealed)).toBe('für dich 🔑');
  expect(key.seal('x').equals(key.seal('x'))).toBe(false);
  expect(() => fresh().open(sealed)).toThrow();
  for (const at of [0, 12, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    expect(() => key.open(changed)).toThrow();
  }
});

it('derives a key for each purpose, and a fingerprint that is the same every time', () => {
  const text = randomBytes(32).toString('base64');
  const [one, two] = [secretKey(text), secretKey(text)];
  expect(one.linkKeys).not.toEqual(one.tokenKeys);
  expect(one.linkKeys).toEqual(two.linkKeys);
  expect(one.fingerprint).toBe(two.fingerprint);
  expect(one.fingerprint).not.toBe(fresh().fingerprint);
});

it('reads what keys before have made, and makes everything with the present one', () => {
  const [text, former] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const [key, before] = [secretKey(text, [randomBytes(32).toString('base64'), former]), secretKey(former)];
  const sealed = before.seal('old');
  expect([key.open(sealed), key.isSealedAnew(sealed)]).toEqual(['old', false]);
  expect([secretKey(text).open(key.seal('new')), key.isSealedAnew(key.seal('new'))]).toEqual(['new', true]);
  expect(() => key.open(fresh().seal('x'))).toThrow(/another secret key/);
  expect([key.fingerprint, key.linkKeys[0], key.tokenKeys[0]]).toEqual([
    secretKey(text).fingerprint,
    secretKey(text).linkKeys[0],
    secretKey(text).tokenKeys[0],
  ]);
  expect([key.linkKeys[2], key.tokenKeys[2]]).toEqual([before.linkKeys[0], before.tokenKeys[0]]);
  expect(key.previous[1]).toEqual({ fingerprint: before.fingerprint, environmentId: before.environmentId });
});

it('keeps one secret, for its owner alone, however many start at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'logferry-secret-'));
  try {
    const make = () => randomBytes(16).toString('hex');
    const kept = await Promise.all(Array.from({ length: 20 }, () => keptSecret(join(directory, 'new'), 'key', make)));
    expect(new Set(kept.map(({ text }) => text)).size).toBe(1);
    expect(kept.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(kept[0]!.text).toMatch(/^[0-9a-f]{32}$/);
    expect((await stat(join(directory, 'new', 'key'))).mode & 0o077).toBe(0);
  } finally {
    await rm(directory, { recursive: true });
  }
});

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openSignedPath, signPath } from '../../../../core/storage/file/signed-path.ts';

const linkKey = randomBytes(32);
const link = {
  key: 'exports/a/b/file.csv',
  expires: 2_000_000_000,
  contentType: 'text/csv',
  contentDisposition: 'attachment',
};
const before = new Date(1_999_999_999_000);

const open = (path: string, now = before) => {
  const url = new URL(path, 'http://localhost');
  const key = decodeURIComponent(url.pathname.replace('/files/', ''));
  return openSignedPath(linkKey, { key, query: url.searchParams, now });
};

describe('A signed path', () => {
  it('gives back what was signed', () => {
    const signed = {
      ...link,
      key: 'exports/Ü ?#%/file.csv',
      contentDisposition: `attachment; filename*=UTF-8''%C3%9C&=+`,
    };
    expect(open(signPath(linkKey, signed))).toEqual({
      outcome: 'good',
      contentType: 'text/csv',
      contentDisposition: signed.contentDisposition,
    });
  });

  it('is good until the second of its expiry and expired from then on', () => {
    const path = signPath(linkKey, link);
    expect(open(path, new Date(1_999_999_999_999)).outcome).toBe('good');
    expect(open(path, new Date(2_000_000_000_000)).outcome).toBe('expired');
  });

  it.each([
    ['another key', (path: string) => path.replace('/a/', '/c/')],
    ['a later expiry', (path: string) => path.replace('expires=2', 'expires=3')],
    ['an expiry that is no number', (path: string) => path.replace(/expires=\d+/, 'expires=Infinity')],
    ['another type', (path: string) => path.replace('text%2Fcsv', 'text%2Fhtml')],
    ['another disposition', (path: string) => path.replace('=attachment', '=inline')],
    ['a second expiry', (path: string) => `${path}&expires=3000000000`],
    ['a second signature', (path: string) => `${path}&signature=x`],
    ['a shorter signature', (path: string) => path.slice(0, -1)],
    ['no signature', (path: string) => path.replace(/&signature=.*/, '')],
    ['an empty signature', (path: string) => path.replace(/&signature=.*/, '&signature=')],
    [
      'a signature that is not ASCII',
      (path: string) => path.replace(/signature=.*/, `signature=${'%C3%BC'.repeat(43)}`),
    ],
    ['no query', (path: string) => path.replace(/\?.*/, '')],
  ])('is wrong with %s', (_, spoil) => {
    expect(open(spoil(signPath(linkKey, link)))).toEqual({ outcome: 'wrong' });
  });

  it('is wrong, not expired, when an old link was changed', () => {
    const path = signPath(linkKey, link).replace('/a/', '/c/');
    expect(open(path, new Date(2_100_000_000_000))).toEqual({ outcome: 'wrong' });
  });

  it('is wrong when another key signed it', () => {
    expect(open(signPath(randomBytes(32), link))).toEqual({ outcome: 'wrong' });
  });
});

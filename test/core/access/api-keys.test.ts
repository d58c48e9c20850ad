import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  apiKeyPrefix,
  hashApiKey,
  isWellFormedApiKey,
  type KeyKind,
  makeApiKey,
  newApiKeySchema,
  sameHash,
  scopes,
} from '../../../core/access/api-keys.ts';

const kinds: KeyKind[] = ['tenant', 'management'];
const base62 = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];

describe('An API key', () => {
  it('has the form that is documented', () => {
    expect(makeApiKey('tenant')).toMatch(/^lf_sk_[0-9A-Za-z]{36}$/);
    expect(makeApiKey('management')).toMatch(/^lf_admin_[0-9A-Za-z]{36}$/);
  });

  it('is well formed, whatever was drawn, and never drawn twice', () => {
    const keys = Array.from({ length: 2000 }, (_, i) => makeApiKey(kinds[i % 2]!));
    expect(keys.every(isWellFormedApiKey)).toBe(true);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is refused once any character of it is another', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.nat(), fc.constantFrom(...base62), (kind, position, character) => {
        const key = makeApiKey(kind);
        const at = position % key.length;
        fc.pre(key[at] !== character);
        expect(isWellFormedApiKey(key.slice(0, at) + character + key.slice(at + 1))).toBe(false);
      }),
    );
  });

  it('is refused once two neighbours have changed places', () => {
    fc.assert(
      fc.property(fc.nat(), (position) => {
        const key = makeApiKey('tenant');
        const at = position % (key.length - 1);
        fc.pre(key[at] !== key[at + 1]);
        expect(isWellFormedApiKey(key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2))).toBe(false);
      }),
    );
  });

  it('is refused when cut, lengthened, or made up', () => {
    const key = makeApiKey('tenant');
    for (const text of [key.slice(0, -1), `${key}0`, ` ${key}`, `${key}\n`, '', 'lf_sk_', key.replace('sk', 'admin')]) {
      expect(isWellFormedApiKey(text)).toBe(false);
    }
    fc.assert(fc.property(fc.string(), (text) => !isWellFormedApiKey(text)));
  });

  it('shows 8 of its random characters and no more', () => {
    const [tenant, management] = [makeApiKey('tenant'), makeApiKey('management')];
    expect(apiKeyPrefix(tenant)).toBe(tenant.slice(0, 14));
    expect(apiKeyPrefix(management)).toBe(management.slice(0, 17));
  });

  it('is known by its hash, and by no other', () => {
    const key = makeApiKey('tenant');
    expect(hashApiKey(key)).toHaveLength(32);
    expect(sameHash(hashApiKey(key), hashApiKey(key))).toBe(true);
    expect(sameHash(hashApiKey(key), hashApiKey(makeApiKey('tenant')))).toBe(false);
    expect(sameHash(hashApiKey(key), new Uint8Array(0))).toBe(false);
  });
});

describe('newApiKeySchema', () => {
  it('names each scope once, in the order of the list', () => {
    const { scopes: named } = newApiKeySchema.parse({ name: 'x', scopes: ['verify', 'events:read', 'verify'] });
    expect(named).toEqual(['events:read', 'verify']);
  });

  it('names the nearest scope, and all that there are', () => {
    const parsed = newApiKeySchema.safeParse({ name: 'x', scopes: ['event:read'] });
    expect(parsed.error?.issues).toMatchObject([
      { path: ['scopes', 0], message: expect.stringContaining('did you mean "events:read"?') },
    ]);
    expect(parsed.error?.issues[0]?.message).toContain(scopes.join(', '));
  });
});

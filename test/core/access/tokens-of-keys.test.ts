import { createSecretKey, randomBytes } from 'node:crypto';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { hashApiKey } from '../../../core/access/api-keys.ts';
import { TokenError } from '../../../core/access/tokens.ts';
import { keyTokenSeconds, openKeyTokens } from '../../../core/access/tokens-of-keys.ts';
import { type Forge, forgeries, signed } from './forged-tokens.ts';

const secret = randomBytes(32);
const claims = { type: 'vendor', vendorId: 'v', scopes: ['export'] } as const;
const now = Math.floor(Date.now() / 1000);
const identity = { issuer: 'logferry', audience: 'logferry:auth/vendor' };
const forge: Forge = {
  ...identity,
  alg: 'HS256',
  kid: '',
  key: createSecretKey(secret),
  publicText: 'LOGFERRY_SECRET_KEY',
  forgersUrl: '',
  now,
};
const tenantAside = ['that names no tenant', 'that names a list of tenants as its tenant'];

describe('Tokens of keys', () => {
  const clock = { ms: now * 1000 };
  const tokens = openKeyTokens([secret], () => clock.ms);

  it('lead back to the key that they were made for', async () => {
    const token = await tokens.issue('the key', claims);
    expect(await tokens.read(token)).toEqual({ subject: 'the key' });
    expect(await openKeyTokens([secret]).read(token)).toEqual({ subject: 'the key' });
    expect(await openKeyTokens([randomBytes(32)]).read(token)).toBeUndefined();
  });

  it('are read with the keys before, also when they have expired, and made with the present one', async () => {
    const present = randomBytes(32);
    const changed = openKeyTokens([present, randomBytes(32), secret], () => clock.ms);
    expect(await changed.read(await tokens.issue('the key', claims))).toEqual({ subject: 'the key' });
    expect(await openKeyTokens([present]).read(await changed.issue('new', claims))).toEqual({ subject: 'new' });
    expect(await changed.read(await openKeyTokens([randomBytes(32)]).issue('the key', claims))).toBeUndefined();
    const past = openKeyTokens([secret], () => (now - keyTokenSeconds - 60) * 1000);
    await expect(changed.read(await past.issue('the key', claims))).rejects.toThrow(TokenError);
    const hash = hashApiKey('the configured key');
    expect(changed.isSubjectOf(tokens.subjectOf(hash), hash)).toBe(true);
    expect(changed.isSubjectOf(tokens.subjectOf(hash), hashApiKey('another'))).toBe(false);
    expect(tokens.isSubjectOf(changed.subjectOf(hash), hash)).toBe(false);
  });

  it('end, and say when that was', async () => {
    const token = await tokens.issue('the key', claims);
    clock.ms += (keyTokenSeconds + 10) * 1000;
    await expect(tokens.read(token)).rejects.toThrow(new Date(decodeJwt(token).exp! * 1000).toISOString());
    clock.ms = now * 1000;
  });

  // Theirs are of the tenant, which here the key has.
  it.each(Object.entries(forgeries).filter(([what]) => !tenantAside.includes(what)))(
    'are not those %s',
    async (_what, make) => {
      const read = await tokens.read(make(forge)).catch((error) => error);
      expect(read === undefined || read instanceof TokenError).toBe(true);
    },
  );

  it('name a key', async () => {
    const { issuer: iss, audience: aud } = identity;
    expect(await tokens.read(signed(forge, { ...claims, iss, aud, exp: now + 60 }))).toBeUndefined();
  });

  it('tell nothing of a key that has no id, and are those of another when it changes', () => {
    const [one, two] = ['first key', 'second key'].map((key) => tokens.subjectOf(hashApiKey(key)));
    expect(one).not.toBe(two);
    expect(one).not.toBe(openKeyTokens([randomBytes(32)]).subjectOf(hashApiKey('first key')));
  });
});

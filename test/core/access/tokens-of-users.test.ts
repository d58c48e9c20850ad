import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenError } from '../../../core/access/tokens.ts';
import { openKeyTokens } from '../../../core/access/tokens-of-keys.ts';
import { openUserTokens, type UserTokens } from '../../../core/access/tokens-of-users.ts';
import { readConfig } from '../../../core/config.ts';
import { heardLog } from '../../api/heard-log.ts';
import { type Forge, forgeries, forgersSet, goodToken } from './forged-tokens.ts';
import { serveJwks } from './serve-jwks.ts';

const now = Math.floor(Date.now() / 1000);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const secret = randomBytes(32).toString('hex');
const pemOf = (key: typeof rsa.publicKey) => key.export({ type: 'spki', format: 'pem' }).toString();

const taken = { issuer: 'https://login.example.com', audience: 'logferry' };
const base = { ...taken, kid: 'k1', now };
const expected = { JWT_ISSUER: taken.issuer, JWT_AUDIENCE: taken.audience };

describe.each([
  ['JWT_JWKS_URL', { ...base, alg: 'RS256', key: rsa.privateKey, publicText: pemOf(rsa.publicKey) }],
  ['JWT_PUBLIC_KEY', { ...base, alg: 'ES256', key: ec.privateKey, publicText: pemOf(ec.publicKey) }],
  ['JWT_SECRET', { ...base, alg: 'HS256', key: createSecretKey(secret, 'utf8'), publicText: 'JWT_SECRET' }],
])("Users' tokens verified by %s", (name, kind) => {
  let forger: Awaited<ReturnType<typeof serveJwks>>;
  let issuer: Awaited<ReturnType<typeof serveJwks>>;
  let tokens: UserTokens;
  let forge: Forge;
  beforeAll(async () => {
    forger = await serveJwks(forgersSet);
    const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
    issuer = await serveJwks({ keys: [jwk] });
    forge = { ...kind, forgersUrl: forger.url };
    const value = { JWT_JWKS_URL: issuer.url, JWT_PUBLIC_KEY: kind.publicText, JWT_SECRET: secret }[name]!;
    tokens = openUserTokens(readConfig({ ...expected, [name]: value }), heardLog().log, () => now * 1000)!;
  });
  afterAll(() => Promise.all([forger.stop(), issuer.stop()]));

  it('tell of the user what the claims say', async () => {
    expect(await tokens.read(goodToken(forge))).toEqual({
      tenantName: 'acme',
      id: 'usr_1',
      name: 'Ana',
      email: 'ana@example.com',
      scopes: ['events:read', 'export'],
    });
  });

  it.each(Object.entries(forgeries))('do not do %s', async (_what, make) => {
    await expect(tokens.read(make(forge))).rejects.toThrow(TokenError);
  });

  it('do not do when they are ours, nor do ours when they are theirs', async () => {
    const ours = openKeyTokens([randomBytes(32)]);
    const claims = { type: 'vendor', vendorId: 'v', tenantId: 'acme', scopes: ['export'] } as const;
    await expect(tokens.read(await ours.issue('usr_1', claims))).rejects.toThrow(TokenError);
    const theirs = goodToken(forge, { type: 'vendor', iss: 'logferry', aud: 'logferry:auth/vendor' });
    expect(await ours.read(theirs)).toBeUndefined();
  });

  it('lead nobody to a server that they name', () => {
    expect(forger.asked()).toBe(0);
  });
});

describe("Users' tokens", () => {
  const forge: Forge = {
    ...base,
    alg: 'HS256',
    key: createSecretKey(secret, 'utf8'),
    publicText: '',
    forgersUrl: '',
  };
  const open = (environment: Record<string, string>) =>
    openUserTokens(readConfig({ JWT_SECRET: secret, ...expected, ...environment }), heardLog().log, () => now * 1000)!;

  it('are refused when nothing is configured', () => {
    expect(openUserTokens(readConfig({}), heardLog().log)).toBeUndefined();
  });

  it('are taken of every issuer and audience in the lists', async () => {
    const tokens = open({ JWT_ISSUER: 'https://a.example.com, https://b.example.com', JWT_AUDIENCE: 'one,two' });
    for (const [iss, aud] of [
      ['https://a.example.com', 'two'],
      ['https://b.example.com', ['other', 'one']],
    ]) {
      expect((await tokens.read(goodToken(forge, { iss, aud }))).id).toBe('usr_1');
    }
    await expect(tokens.read(goodToken(forge, { iss: 'https://a.example.com', aud: 'three' }))).rejects.toThrow(
      '"aud"',
    );
  });

  it('are taken of any issuer and audience when none is set, which the log says', async () => {
    const { log, entries } = heardLog();
    const tokens = openUserTokens(readConfig({ JWT_SECRET: secret }), log, () => now * 1000)!;
    expect((await tokens.read(goodToken(forge, { iss: 'anybody', aud: undefined }))).id).toBe('usr_1');
    expect(entries.map(({ msg }) => msg.split(' ')[0])).toEqual(['JWT_ISSUER', 'JWT_AUDIENCE']);
  });

  it('may be a few seconds late or early, as clocks differ', async () => {
    const tokens = open({});
    expect((await tokens.read(goodToken(forge, { exp: now - 3, nbf: now + 3 }))).id).toBe('usr_1');
  });

  it.each([
    [{ permissions: [] }, []],
    [{ permissions: undefined }, []],
    [{ permissions: 'fe.secure.read.audits' }, []],
    [{ permissions: [{ name: 'fe.secure.read.audits' }], roles: ['fe.secure.read.audits'] }, []],
    [{ permissions: ['fe.secure.*'] }, ['events:read', 'export']],
    [{ permissions: ['fe.secure.write.audits'] }, []],
  ])('with the claims %j give the scopes %j', async (claims, scopes) => {
    expect((await open({}).read(goodToken(forge, claims))).scopes).toEqual(scopes);
  });

  it('give what JWT_PERMISSIONS says, and nothing else', async () => {
    const JWT_PERMISSIONS = '{"audits.write.*": ["events:write"], "audits.read": ["events:read"]}';
    const { scopes } = await open({ JWT_PERMISSIONS }).read(
      goodToken(forge, { permissions: ['audits.write.all', 'fe.secure.read.audits'] }),
    );
    expect(scopes).toEqual(['events:write']);
  });

  it('leave out of a name and an address what no audit log can hold', async () => {
    const user = await open({}).read(goodToken(forge, { name: 7, email: 'a\0b', sub: undefined }));
    expect(user).toMatchObject({ id: null, name: null, email: null });
    await expect(open({}).read(goodToken(forge, { sub: 'x'.repeat(513) }))).rejects.toThrow('"sub"');
  });

  it('that expired are told when', async () => {
    const failing = open({}).read(goodToken(forge, { exp: now - 60 }));
    await expect(failing).rejects.toThrow(new Date((now - 60) * 1000).toISOString());
  });

  it('signed with Ed25519 do under both names of the algorithm', async () => {
    const tokens = openUserTokens(
      readConfig({ JWT_PUBLIC_KEY: pemOf(ed.publicKey).replaceAll('\n', '\\n'), ...expected }),
      heardLog().log,
      () => now * 1000,
    )!;
    for (const alg of ['EdDSA', 'Ed25519']) {
      expect((await tokens.read(goodToken({ ...forge, alg, key: ed.privateKey }))).id).toBe('usr_1');
    }
  });
});

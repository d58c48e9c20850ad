import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TokenError } from '../../../core/access/tokens.ts';
import { fetchedKeys, jwksTimes, KeysAwayError } from '../../../core/access/tokens-jwks.ts';
import { openUserTokens } from '../../../core/access/tokens-of-users.ts';
import { readConfig } from '../../../core/config.ts';
import { heardLog } from '../../api/heard-log.ts';
import { type Forge, goodToken } from './forged-tokens.ts';
import { serveJwks } from './serve-jwks.ts';

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const [first, second] = [pair(), pair()];
const jwk = (key: KeyObject, kid?: string) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });
const tokenOf = (key: KeyObject, kid: string | undefined) =>
  goodToken({
    alg: 'RS256',
    kid,
    key,
    issuer: 'i',
    audience: 'a',
    now: Math.floor(Date.now() / 1000),
    publicText: '',
    forgersUrl: '',
  } as Forge);

describe('A set of keys at a URL', () => {
  let issuer: Awaited<ReturnType<typeof serveJwks>>;
  beforeEach(async () => {
    issuer = await serveJwks({ keys: [jwk(first.publicKey, 'one')] });
  });
  afterEach(() => issuer.stop().catch(() => {}));

  const open = (times: Partial<typeof jwksTimes> = {}) => {
    const { log, entries } = heardLog();
    const keys = fetchedKeys(issuer.url, log, { ...jwksTimes, ...times });
    const verify = (token: string) => jwtVerify(token, keys, { algorithms: ['RS256'] });
    return { verify, entries };
  };
  const good = () => tokenOf(first.privateKey, 'one');

  it('is loaded once for many tokens that come together, and kept', async () => {
    const { verify } = open();
    await Promise.all(Array.from({ length: 20 }, () => verify(good())));
    await verify(good());
    expect(issuer.asked()).toBe(1);
  });

  it('is loaded anew for a key that it does not have, but no more than once in a while', async () => {
    const { verify } = open({ cooldown: 300 });
    await verify(good());
    issuer.serve({ keys: [jwk(first.publicKey, 'one'), jwk(second.publicKey, 'two')] });
    // A key that was added is found as soon as the set may be asked for again.
    await expect
      .poll(() =>
        verify(tokenOf(second.privateKey, 'two')).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    expect(issuer.asked()).toBe(2);
    const madeUp = Array.from({ length: 50 }, (_, i) => verify(tokenOf(second.privateKey, `made up ${i}`)));
    for (const each of await Promise.allSettled(madeUp)) expect(each.status).toBe('rejected');
    expect(issuer.asked()).toBeLessThanOrEqual(3);
  });

  it('serves while its server is away, and is loaded when that is back', async () => {
    const { verify, entries } = open({ refresh: 0, pause: 50, timeout: 500 });
    await verify(good());
    await issuer.stop();
    for (let i = 0; i < 20; i++) await verify(good());
    await vi.waitFor(() => expect(entries).toMatchObject([{ level: 40 }]));
    await issuer.resume();
    issuer.serve({ keys: [jwk(second.publicKey, 'two')] });
    await expect
      .poll(() =>
        verify(good()).then(
          () => true,
          () => false,
        ),
      )
      .toBe(false);
    await verify(tokenOf(second.privateKey, 'two'));
    expect(entries).toHaveLength(2);
  });

  it('asks a server that is away no more than once in a while, whatever comes', async () => {
    const { verify } = open({ cooldown: 0, pause: 60_000 });
    await verify(good());
    issuer.serve((_request, response) => response.writeHead(500).end());
    const before = issuer.asked();
    for (let i = 0; i < 20; i++) {
      await expect(verify(tokenOf(second.privateKey, `made up ${i}`))).rejects.toThrow(KeysAwayError);
      await verify(good());
    }
    expect(issuer.asked()).toBe(before + 1);
  });

  it('is not used any more when it is too old', async () => {
    const { verify } = open({ mostAge: 1, pause: 0 });
    await verify(good());
    await issuer.stop();
    await expect
      .poll(() =>
        verify(good()).then(
          () => 'good',
          (error) => error.name,
        ),
      )
      .toBe('KeysAwayError');
  });

  it.each([
    ['redirects', (url: string) => ({ status: 302, headers: { location: `${url}/elsewhere` }, body: '' })],
    ['answers with something else', () => ({ status: 200, headers: {}, body: '<html>' })],
    ['answers with no set', () => ({ status: 200, headers: {}, body: '{"keys": 1}' })],
    [
      'answers with too much',
      () => ({ status: 200, headers: {}, body: `{"keys": [], "x": "${'x'.repeat(2_000_000)}"}` }),
    ],
  ])('cannot be had from a server that %s', async (_what, make) => {
    const { status, headers, body } = make(issuer.url);
    issuer.serve((_request, response) => response.writeHead(status, headers).end(body));
    await expect(open().verify(good())).rejects.toThrow(KeysAwayError);
    expect(issuer.asked()).toBe(1);
  });

  it('cannot be had from a server that says nothing, which is told in time', async () => {
    issuer.serve(() => {});
    await expect(open({ timeout: 100 }).verify(good())).rejects.toThrow(KeysAwayError);
  });

  it('serves no key that is too short to be safe', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    issuer.serve({ keys: [jwk(weak.publicKey, 'weak')] });
    const tokens = openUserTokens(readConfig({ JWT_JWKS_URL: issuer.url }), heardLog().log)!;
    await expect(tokens.read(tokenOf(weak.privateKey, 'weak'))).rejects.toThrow(TokenError);
  });

  it('finds the right one of several keys for a token that names none', async () => {
    issuer.serve({ keys: [jwk(first.publicKey), jwk(second.publicKey)] });
    const tokens = openUserTokens(readConfig({ JWT_JWKS_URL: issuer.url }), heardLog().log)!;
    for (const { privateKey } of [first, second]) {
      expect((await tokens.read(tokenOf(privateKey, undefined))).id).toBe('usr_1');
    }
    await expect(tokens.read(tokenOf(pair().privateKey, undefined))).rejects.toThrow('cannot be verified');
  });
});

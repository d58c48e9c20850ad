import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Forge, forgeries, forgersSet, goodToken } from '../../core/access/forged-tokens.ts';
import { serveJwks } from '../../core/access/serve-jwks.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

const taken = { issuer: 'https://login.example.com', audience: 'logferry' };
const expected = { JWT_ISSUER: taken.issuer, JWT_AUDIENCE: taken.audience };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const secret = randomBytes(32).toString('hex');
const base = { ...taken, kid: 'k1', forgersUrl: '' };
const byRsa = { ...base, alg: 'RS256', key: rsa.privateKey, publicText: rsaPem };
const bySecret = { ...base, alg: 'HS256', key: createSecretKey(secret, 'utf8'), publicText: 'JWT_SECRET' };
const now = () => Math.floor(Date.now() / 1000);

describe.each([
  ['JWT_JWKS_URL', byRsa],
  ['JWT_PUBLIC_KEY', byRsa],
  ['JWT_SECRET', bySecret],
])("A user's token, with %s", (name, kind) => {
  let app: App;
  let servers: Awaited<ReturnType<typeof serveJwks>>[];
  let forge: Forge;
  beforeAll(async () => {
    const issuer = await serveJwks({ keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' }] });
    const forger = await serveJwks(forgersSet);
    servers = [issuer, forger];
    const value = { JWT_JWKS_URL: issuer.url, JWT_PUBLIC_KEY: rsaPem, JWT_SECRET: secret }[name]!;
    app = await startApp({ ...expected, [name]: value });
    await app.newTenant({ external_id: 'acme' });
    await app.newTenant({ external_id: 'other' });
    forge = { ...kind, forgersUrl: forger.url, now: now() };
  });
  afterAll(async () => {
    await app.close();
    for (const server of servers) await server.stop();
  });

  it('is taken as Bearer and as x-access-token', async () => {
    const token = goodToken(forge);
    expect((await app.caller(token)('/v1/events')).status).toBe(200);
    expect((await fetch(`${app.url}/v1/events`, { headers: { 'x-access-token': token } })).status).toBe(200);
  });

  it.each(Object.entries(forgeries))('is answered 401 %s', async (_what, make) => {
    const reply = await app.caller(make(forge))('/v1/events');
    expect(reply.status).toBe(401);
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    expect((await bodyOf(reply)).error.type).toBe('authentication_error');
    expect(servers[1]!.asked()).toBe(0);
  });
});

describe("A user's token", () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ ...expected, JWT_SECRET: secret, LOGFERRY_REGIONS: '{"us": "https://us.example.com"}' });
  });
  afterAll(() => app.close());

  const asUser = (claims: object) => app.caller(goodToken({ ...bySecret, now: now() }, { ...claims }));

  it('acts for the tenant that it names by either id, and sees no other, whatever a header says', async () => {
    const own = await app.newTenant({ external_id: 'own' });
    const other = await app.newTenant({ external_id: 'foreign' });
    for (const { call } of [own, other]) await call('/v1/events', { json: { action: 'a' } });
    const { data } = await bodyOf(own.call('/v1/events'));
    for (const tenantId of [own.tenant.id, own.tenant.id.toUpperCase(), 'own']) {
      const call = asUser({ tenantId, tenantIds: [own.tenant.id, other.tenant.id] });
      expect((await bodyOf(call('/v1/events'))).data).toEqual(data);
      expect((await call('/v1/events', { headers: { 'Logferry-Tenant': 'own' } })).status).toBe(200);
      for (const name of [other.tenant.id, 'foreign', 'nobody']) {
        expect((await call('/v1/events', { headers: { 'Logferry-Tenant': name } })).status).toBe(404);
      }
    }
  });

  it('that names an unknown tenant is answered 404', async () => {
    expect((await asUser({ tenantId: 'nobody' })('/v1/events')).status).toBe(404);
    const named = asUser({ tenantId: 'nobody' })('/v1/events', { headers: { 'Logferry-Tenant': 'nobody' } });
    expect((await named).status).toBe(404);
  });

  it('may do what its permissions give: with none, nothing; its roles and its type give nothing', async () => {
    await app.newTenant({ external_id: 'permitted' });
    const status = async (claims: object, path = '/v1/events') =>
      (await asUser({ tenantId: 'permitted', ...claims })(path)).status;
    expect(await status({})).toBe(200);
    expect(await status({ permissions: ['fe.secure.*'] })).toBe(200);
    expect(await status({}, '/v1/webhooks')).toBe(403);
    expect(await status({}, '/v1/tenants')).toBe(403);
    expect(await status({}, '/v1/api-keys')).toBe(403);
    expect(await status({ permissions: [], roles: ['Admin'] })).toBe(403);
    expect(await status({ type: 'vendor', scopes: ['webhooks:manage'] }, '/v1/webhooks')).toBe(403);
  });

  it('leaves the user in the audit log', async () => {
    const { call } = await app.newTenant({ external_id: 'audited' });
    const made = await asUser({ tenantId: 'audited' })('/v1/exports', { json: { format: 'csv' } });
    expect(made.status).toBe(202);
    const { data } = await bodyOf(call('/v1/events?action=logferry.export.created'));
    expect(data[0].actor).toEqual({ id: 'usr_1', type: 'user', name: 'Ana', email: 'ana@example.com', meta: null });
  });

  it('of a tenant of another region is answered 421 with the address of its home', async () => {
    await app.admin('/v1/tenants', { json: { name: 'Far', region: 'us', external_id: 'far' } });
    const reply = await asUser({ tenantId: 'far' })('/v1/events');
    expect(reply.status).toBe(421);
    expect(reply.headers.get('location')).toBe('https://us.example.com');
    expect(await bodyOf(reply)).toMatchObject({ base_url: 'https://us.example.com' });
  });

  it('of 10 MB is refused before anybody looks at it', async () => {
    const status = await app
      .caller(`a.${'b'.repeat(10_000_000)}.c`)('/v1/events')
      .then(
        (reply) => reply.status,
        // The connection is closed while the client still sends.
        () => 'cut',
      );
    expect([400, 431, 'cut']).toContain(status);
    expect((await app.admin('/v1/tenants')).status).toBe(200);
  });
});

describe("A user's token where none are taken", () => {
  it('is answered 401', async () => {
    const app = await startApp();
    const reply = await app.caller(goodToken({ ...bySecret, now: now() }))('/v1/events');
    expect(reply.status).toBe(401);
    expect((await bodyOf(reply)).detail).toContain('tokens of users are not accepted');
    await app.close();
  });
});

describe("A user's token whose issuer's keys cannot be had", () => {
  it('is answered 503 that says when to try again', async () => {
    const issuer = await serveJwks({ keys: [] });
    await issuer.stop();
    const app = await startApp({ ...expected, JWT_JWKS_URL: issuer.url });
    const reply = await app.caller(goodToken({ ...byRsa, now: now() }))('/v1/events');
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('5');
    expect((await app.admin('/v1/tenants')).status).toBe(200);
    await app.close();
  });
});

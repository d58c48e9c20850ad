import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeApiKey, scopes, scopesByName } from '../../../core/access/api-keys.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

const run = promisify(execFile);
const clock = { ms: Date.now() };
const json = { 'content-type': 'application/json' };

describe('POST /auth/vendor', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_REGIONS: '{"us": "https://us.example.com"}' }, { clock: () => clock.ms });
  });
  afterAll(() => app.close());

  const ask = (body: object, path = '/auth/vendor') =>
    fetch(app.url + path, { method: 'POST', headers: json, body: JSON.stringify(body) });
  const managementKey = (more: object = {}) => bodyOf(app.admin('/v1/api-keys', { json: { name: 'ops', ...more } }));
  const tokenOf = async ({ id, key }: { id: string; key: string }): Promise<string> =>
    (await bodyOf(ask({ clientId: id, secret: key }))).token;
  const tenantKey = async (more: object = {}) => {
    const { tenant } = await app.newTenant();
    const key = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'own', tenant_id: tenant.id, ...more } }));
    return { tenant, key };
  };

  it.each([
    ['JSON', '/auth/vendor', json, JSON.stringify],
    ['JSON, with a slash at the end', '/auth/vendor/', json, JSON.stringify],
    ['JSON, with the slashes of a base URL that ends with one', '//auth/vendor', json, JSON.stringify],
    ['JSON, as browsers prefix it', '/frontegg/auth/vendor', json, JSON.stringify],
    [
      'a form',
      '/auth/vendor',
      { 'content-type': 'application/x-www-form-urlencoded' },
      (credentials: Record<string, string>) => new URLSearchParams(credentials).toString(),
    ],
  ])('gives a token for a key that comes as %s', async (_what, path, headers, write) => {
    const { id, key } = await managementKey();
    const reply = await fetch(app.url + path, { method: 'POST', headers, body: write({ clientId: id, secret: key }) });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(await bodyOf(reply)).toEqual({ token: expect.any(String), expiresIn: 3600 });
  });

  it("gives one to Frontegg's own SDK, unchanged", async () => {
    const { id, key } = await managementKey();
    for (const base of [app.url, `${app.url}/`]) {
      // Its addresses are read when it is loaded, so it is loaded in a process of its own.
      const script = `
        const { FronteggAuthenticator } = require('@frontegg/client');
        const authenticator = new FronteggAuthenticator();
        authenticator.init(process.env.ID, process.env.KEY).then(() => {
          process.stdout.write(authenticator.accessToken);
          return authenticator.shutdown();
        });`;
      const env = { ...process.env, FRONTEGG_API_GATEWAY_URL: base, ID: id, KEY: key };
      const { stdout } = await run(process.execPath, ['-e', script], { env });
      const token = stdout.split('\n').at(-1)!;
      expect((await app.caller(token)('/v1/tenants')).status).toBe(200);
    }
  });

  it('writes into it what clients of Frontegg look for, and nothing of the key', async () => {
    const management = await managementKey();
    const token = await tokenOf(management);
    const { iat, exp, vendorId, ...claims } = decodeJwt(token);
    expect(claims).toEqual({
      type: 'vendor',
      scopes: scopes.filter((scope) => !scopesByName.includes(scope)),
      sub: management.id,
      iss: 'logferry',
      aud: 'logferry:auth/vendor',
    });
    expect(exp! - iat!).toBe(3600);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT' });
    const own = await tenantKey({ scopes: ['events:read'] });
    expect(decodeJwt(await tokenOf(own.key))).toMatchObject({
      type: 'tenant',
      tenantId: own.tenant.id,
      scopes: ['events:read'],
      vendorId,
    });
    expect(vendorId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  describe('whose token', () => {
    it('is of a management key acts for the tenant that the header names, by either id', async () => {
      const call = app.caller(await tokenOf(await managementKey()));
      const { tenant } = await app.newTenant({ external_id: 'acme' });
      for (const name of [tenant.id, 'acme']) {
        const made = await call('/v1/events', { json: { action: 'a' }, headers: { 'Logferry-Tenant': name } });
        expect(made.status).toBe(201);
      }
      expect((await call('/v1/events')).status).toBe(400);
      expect((await call('/v1/events', { headers: { 'Logferry-Tenant': 'nobody' } })).status).toBe(404);
      expect((await call('/v1/tenants')).status).toBe(200);
    });

    it('is of a management key is told where a tenant of another region lives', async () => {
      const call = app.caller(await tokenOf(await managementKey()));
      const { id } = await bodyOf(app.admin('/v1/tenants', { json: { name: 'Far', region: 'us' } }));
      const reply = await call('/v1/events', { headers: { 'Logferry-Tenant': id } });
      expect(reply.status).toBe(421);
      expect(reply.headers.get('location')).toBe('https://us.example.com');
      expect(await bodyOf(reply)).toMatchObject({ base_url: 'https://us.example.com' });
    });

    it("is of a tenant's key acts for that tenant alone, with the scopes of the key", async () => {
      const { tenant, key } = await tenantKey({ scopes: ['events:read'] });
      const other = await app.newTenant();
      const call = app.caller(await tokenOf(key));
      expect((await call('/v1/events')).status).toBe(200);
      expect((await call('/v1/events', { headers: { 'Logferry-Tenant': tenant.id } })).status).toBe(200);
      expect((await call('/v1/events', { headers: { 'Logferry-Tenant': other.tenant.id } })).status).toBe(404);
      const refused = await call('/v1/events', { json: { action: 'a' } });
      expect(refused.status).toBe(403);
      expect((await bodyOf(refused)).detail).toContain('the token has events:read');
      expect((await call('/v1/tenants')).status).toBe(403);
    });

    it('comes as x-access-token does what it does as Bearer', async () => {
      const { key } = await tenantKey();
      const headers = { 'x-access-token': await tokenOf(key) };
      expect((await fetch(`${app.url}/v1/events`, { headers })).status).toBe(200);
    });

    it('is in the audit log as the key that it was made for', async () => {
      const { tenant, key } = await tenantKey();
      const call = app.caller(await tokenOf(key));
      expect((await call('/v1/exports', { json: { format: 'csv' } })).status).toBe(202);
      const { data } = await bodyOf(call('/v1/events?action=logferry.export.created'));
      expect(data).toMatchObject([{ actor: { id: key.id, type: 'api_key', name: 'own' } }]);
      expect(tenant.id).not.toBe(key.id);
    });

    it('ends when its time is over, and says when that was', async () => {
      const token = await tokenOf((await tenantKey()).key);
      const { exp } = decodeJwt(token);
      clock.ms += 3_600_000;
      // Clocks of machines differ by a few seconds.
      expect((await app.caller(token)('/v1/events')).status).toBe(200);
      clock.ms += 5_000;
      const reply = await app.caller(token)('/v1/events');
      expect(reply.status).toBe(401);
      expect((await bodyOf(reply)).detail).toContain(new Date(exp! * 1000).toISOString());
    });

    it('ends within 5 s when another process revoked the key', async () => {
      const { key } = await tenantKey();
      const call = app.caller(await tokenOf(key));
      expect((await call('/v1/events')).status).toBe(200);
      await app.database.pool.query('update api_keys set revoked_at = now() where id = $1', [key.id]);
      clock.ms += 5_000;
      expect((await call('/v1/events')).status).toBe(401);
    });

    it('ends at once when the key was revoked here, and when it expires', async () => {
      const expires_at = new Date(clock.ms + 60_000).toISOString();
      const { key } = await tenantKey({ expires_at });
      const second = await managementKey();
      const [call, secondCall] = [app.caller(await tokenOf(key)), app.caller(await tokenOf(second))];
      expect((await secondCall('/v1/tenants')).status).toBe(200);
      expect((await app.admin(`/v1/api-keys/${second.id}`, { method: 'DELETE' })).status).toBe(204);
      expect((await secondCall('/v1/tenants')).status).toBe(401);
      expect((await call('/v1/events')).status).toBe(200);
      clock.ms += 60_000;
      expect((await call('/v1/events')).status).toBe(401);
    });
  });

  describe('with LOGFERRY_ADMIN_KEY as the secret', () => {
    it('gives an environment token whatever the clientId', async () => {
      for (const clientId of ['admin', '018f0000-0000-7000-8000-000000000000']) {
        const token = await tokenOf({ id: clientId, key: app.adminKey });
        expect((await app.caller(token)('/v1/tenants')).status).toBe(200);
        expect(JSON.stringify(decodeJwt(token))).not.toContain(app.adminKey);
      }
    });

    it('gives one that ends when the variable changes', async () => {
      const token = await tokenOf({ id: 'admin', key: app.adminKey });
      const secret = app.deps.config.LOGFERRY_SECRET_KEY!;
      const same = await startApp({ LOGFERRY_SECRET_KEY: secret, LOGFERRY_ADMIN_KEY: app.adminKey });
      const changed = await startApp({ LOGFERRY_SECRET_KEY: secret });
      expect((await same.caller(token)('/v1/tenants')).status).toBe(200);
      expect((await changed.caller(token)('/v1/tenants')).status).toBe(401);
      await Promise.all([same.close(), changed.close()]);
    });
  });

  it('is refused at a deployment with another secret key', async () => {
    const other = await startApp({ LOGFERRY_ADMIN_KEY: app.adminKey });
    const token = await tokenOf({ id: 'admin', key: app.adminKey });
    expect((await other.caller(token)('/v1/tenants')).status).toBe(401);
    await other.close();
  });

  it.each([
    ['an unknown key', async () => ({ clientId: 'x', secret: makeApiKey('management') })],
    ['a mistyped key', async () => ({ clientId: 'x', secret: 'lf_admin_x' })],
    [
      'the id of another key',
      async () => ({ clientId: (await managementKey()).id, secret: (await managementKey()).key }),
    ],
    ['no id', async () => ({ clientId: 'x', secret: (await managementKey()).key })],
    ['a token', async () => ({ clientId: 'x', secret: await tokenOf(await managementKey()) })],
  ])('answers 401 as Frontegg does for %s', async (_what, make) => {
    const reply = await ask(await make());
    expect(reply.status).toBe(401);
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/);
    expect(reply.headers.get('frontegg-trace-id')).toBe(reply.headers.get('x-request-id'));
    expect(await bodyOf(reply)).toEqual({ errors: [expect.any(String)] });
  });

  it.each([
    [400, '{"clientId": "x"}', json],
    [400, '{"clientId": 1, "secret": ["a"]}', json],
    [400, '[]', json],
    [400, '{"clientId": ', json],
    [400, '', json],
    [413, JSON.stringify({ clientId: 'x', secret: 'x'.repeat(20_000) }), json],
    [415, 'x', { 'content-type': 'text/plain' }],
  ])('answers %i with a list of errors for the body %s', async (status, body, headers) => {
    const reply = await fetch(`${app.url}/auth/vendor`, { method: 'POST', headers, body });
    expect(reply.status).toBe(status);
    const { errors, ...rest } = await bodyOf(reply);
    expect(rest).toEqual({});
    expect(errors.length).toBeGreaterThan(0);
    for (const text of errors) expect(text).toEqual(expect.any(String));
  });

  it('answers 421 for the key of a tenant who lives elsewhere', async () => {
    const { tenant, key } = await tenantKey();
    await app.database.pool.query(`update tenants set region = 'us' where id = $1`, [tenant.id]);
    clock.ms += 5_000;
    const reply = await ask({ clientId: key.id, secret: key.key });
    expect(reply.status).toBe(421);
    expect(reply.headers.get('location')).toBe('https://us.example.com');
  });

  it('answers 405 for another method', async () => {
    const reply = await fetch(`${app.url}/auth/vendor`);
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe('POST');
    expect(await bodyOf(reply)).toEqual({ errors: [expect.any(String)] });
  });
});

describe('POST /auth/vendor with a rate limit', () => {
  it('counts wrong secrets by address, together with wrong keys elsewhere, and keeps no good one out', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '5' });
    const { key } = await app.newTenant();
    const [{ id }] = (await bodyOf(app.caller(key)('/v1/api-keys'))).data;
    const post = (secret: string) =>
      fetch(`${app.url}/auth/vendor`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ clientId: id, secret }),
      });
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await post(makeApiKey('tenant'))).status);
    for (let i = 0; i < 3; i++) statuses.push((await app.caller(makeApiKey('tenant'))('/v1/events')).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    const refused = await post(makeApiKey('tenant'));
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    const reset = Date.parse(refused.headers.get('x-rate-limit-reset')!);
    expect(Math.abs(reset - Date.now() - seconds * 1000)).toBeLessThan(2000);
    expect(await bodyOf(refused)).toEqual({ errors: [expect.any(String)] });
    const given = await post(key);
    expect(given.status).toBe(200);
    // The token has the share of its key, of which two are used by now.
    const reply = await app.caller((await bodyOf(given)).token)('/v1/events');
    expect(reply.headers.get('x-ratelimit-remaining')).toBe('2');
    await app.close();
  });
});

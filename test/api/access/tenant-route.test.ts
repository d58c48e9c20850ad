import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isWellFormedApiKey, makeApiKey, scopes } from '../../../core/access/api-keys.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

const clock = { ms: Date.now() };

describe('Authentication', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({}, { clock: () => clock.ms });
  });
  afterAll(() => app.close());

  const get = (authorization?: string) =>
    fetch(`${app.url}/v1/webhooks`, { headers: authorization ? { authorization } : {} });

  /** How often `act` takes a connection of the pool: once a statement. */
  async function queriesOf(act: () => Promise<unknown>): Promise<number> {
    let queries = 0;
    const count = () => {
      queries++;
    };
    app.database.pool.on('acquire', count);
    await act();
    app.database.pool.off('acquire', count);
    return queries;
  }

  it('takes the key in any case of the scheme', async () => {
    const { key } = await app.newTenant();
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) expect((await get(`${scheme} ${key}`)).status).toBe(200);
  });

  it('takes the key in x-access-token, too, unless a Bearer token is there', async () => {
    const { key } = await app.newTenant();
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${app.url}/v1/webhooks`, { headers })).status;
    expect(await status({ 'x-access-token': key })).toBe(200);
    expect(await status({ 'x-access-token': key, authorization: 'Basic YTpi' })).toBe(200);
    expect(await status({ 'x-access-token': `Bearer ${key}` })).toBe(200);
    expect(await status({ 'x-access-token': `Basic ${key}` })).toBe(401);
    expect(await status({ 'x-access-token': key, authorization: `Bearer ${makeApiKey('tenant')}` })).toBe(401);
    expect(await status({ 'x-access-token': makeApiKey('tenant'), authorization: `Bearer ${key}` })).toBe(200);
  });

  it.each([
    ['nothing', undefined],
    ['another scheme', 'Basic YTpi'],
    ['no token', 'Bearer'],
    ['two tokens', 'Bearer a b'],
    ['a made-up key', 'Bearer lf_sk_000000000000000000000000000000000000'],
    ['a key nobody made', `Bearer ${makeApiKey('tenant')}`],
    ['a management key nobody made', `Bearer ${makeApiKey('management')}`],
  ])('answers 401 and how to authenticate for %s', async (_what, authorization) => {
    const reply = await get(authorization);
    expect(reply.status).toBe(401);
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    expect(await bodyOf(reply)).toMatchObject({ error: { type: 'authentication_error' } });
  });

  it('asks the database nothing for a mistyped key, and once for a key nobody made', async () => {
    const { key } = await app.newTenant();
    const mistyped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
    expect(isWellFormedApiKey(mistyped)).toBe(false);
    const unknown = makeApiKey('tenant');
    const tries = async (text: string) => {
      for (let i = 0; i < 5; i++) expect((await get(`Bearer ${text}`)).status).toBe(401);
    };
    expect(await queriesOf(() => tries(mistyped))).toBe(0);
    expect(await queriesOf(() => tries(unknown))).toBeGreaterThan(0);
    expect(await queriesOf(() => tries(unknown))).toBe(0);
  });

  it('refuses the right prefix with another secret', async () => {
    const { key } = await app.newTenant();
    const other = makeApiKey('tenant');
    await app.database.pool.query('update api_keys set prefix = $1 where prefix = $2', [
      other.slice(0, 14),
      key.slice(0, 14),
    ]);
    expect((await get(`Bearer ${other}`)).status).toBe(401);
  });

  it('stores nothing that a key could be made of', async () => {
    const { key } = await app.newTenant();
    const { rows } = await app.database.pool.query('select to_jsonb(api_keys)::text as row from api_keys');
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) expect(row).not.toContain(key.slice(14));
  });

  it('answers 401 within 5 s for a key that another process revoked', async () => {
    const { key } = await app.newTenant();
    expect((await get(`Bearer ${key}`)).status).toBe(200);
    await app.database.pool.query('update api_keys set revoked_at = now() where prefix = $1', [key.slice(0, 14)]);
    clock.ms += 5000;
    expect((await get(`Bearer ${key}`)).status).toBe(401);
  });

  it('answers 401 at once for a key that was revoked here', async () => {
    const { key, tenant } = await app.newTenant();
    const { data } = await bodyOf(app.admin(`/v1/api-keys?tenant_id=${tenant.id}`));
    expect((await get(`Bearer ${key}`)).status).toBe(200);
    expect((await app.admin(`/v1/api-keys/${data[0].id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await get(`Bearer ${key}`)).status).toBe(401);
  });

  it('answers 401 for an expired key, and says that it expired', async () => {
    const { tenant } = await app.newTenant();
    const expires_at = new Date(clock.ms + 60_000).toISOString();
    const { key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'x', tenant_id: tenant.id, expires_at } }));
    expect((await get(`Bearer ${key}`)).status).toBe(200);
    clock.ms += 60_000;
    const reply = await get(`Bearer ${key}`);
    expect(reply.status).toBe(401);
    expect((await bodyOf(reply)).detail).toContain(`expired at ${expires_at}`);
  });

  it('answers 401 before it looks at route, method or body', async () => {
    for (const path of ['/v1/nothing', '/v1/tenants', '/v1/%zz']) {
      expect((await fetch(app.url + path, { method: 'POST', body: '{' })).status).toBe(401);
    }
  });

  describe('of a tenant', () => {
    it('is refused a route whose scope the key lacks, which the answer names', async () => {
      const { call } = await app.newTenant({ scopes: scopes.filter((scope) => scope !== 'webhooks:manage') });
      const reply = await call('/v1/webhooks');
      expect(reply.status).toBe(403);
      expect((await bodyOf(reply)).error).toMatchObject({
        type: 'scope_error',
        message: expect.stringContaining('"webhooks:manage"'),
      });
    });

    it('is refused what its plan does not have, until the plan is changed', async () => {
      const { call, tenant } = await app.newTenant({ plan: 'free' });
      const create = () => call('/v1/exports', { json: { format: 'csv' } });
      const reply = await create();
      expect(reply.status).toBe(403);
      expect((await bodyOf(reply)).error).toMatchObject({
        type: 'plan_feature_unavailable',
        message: expect.stringContaining('"pro"'),
      });
      await app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json: { plan: 'enterprise' } });
      expect((await create()).status).toBe(202);
    });

    it('may name itself by either id, and gets 404 for another tenant, known or not', async () => {
      const other = await app.newTenant();
      const { call, tenant } = await app.newTenant({ external_id: 'self' });
      const status = async (name: string) =>
        (await call('/v1/webhooks', { headers: { 'Logferry-Tenant': name } })).status;
      expect([await status(tenant.id), await status(tenant.id.toUpperCase()), await status('self')]).toEqual([
        200, 200, 200,
      ]);
      const replies = [other.tenant.id, '018f0000-0000-7000-8000-000000000000', 'nobody'].map(async (name) => {
        const reply = await call('/v1/webhooks', { headers: { 'Logferry-Tenant': name } });
        const { request_id, ...body } = await bodyOf(reply);
        return { status: reply.status, body };
      });
      const [first, ...rest] = await Promise.all(replies);
      expect(first!.status).toBe(404);
      for (const each of rest) expect(each).toEqual(first);
    });
  });

  describe('of the management', () => {
    it('acts for the tenant that the header names by either id', async () => {
      const { tenant, call } = await app.newTenant({ external_id: 'named' });
      for (const name of [tenant.id, 'named']) {
        const reply = await app.admin('/v1/webhooks', { headers: { 'Logferry-Tenant': name } });
        expect(await bodyOf(reply)).toEqual(await bodyOf(call('/v1/webhooks')));
      }
    });

    it('answers 400 that names the header when it is missing, and 404 for an unknown tenant', async () => {
      const missing = await app.admin('/v1/webhooks');
      expect(missing.status).toBe(400);
      expect((await bodyOf(missing)).error).toMatchObject({
        type: 'bad_request',
        message: expect.stringContaining('Logferry-Tenant'),
      });
      const unknown = await app.admin('/v1/webhooks', { headers: { 'Logferry-Tenant': 'nobody' } });
      expect(unknown.status).toBe(404);
    });

    it('may act for a tenant right after it was made, although it was asked for before', async () => {
      const as = () => app.admin('/v1/webhooks', { headers: { 'Logferry-Tenant': 'late' } });
      expect((await as()).status).toBe(404);
      await app.newTenant({ external_id: 'late' });
      expect((await as()).status).toBe(200);
    });

    it('leaves its name in the audit log of the tenant, as the key of a tenant does', async () => {
      const { tenant, call } = await app.newTenant();
      const headers = { 'Logferry-Tenant': tenant.id, 'user-agent': 'auditor/1' };
      const json = { format: 'csv' };
      expect((await app.admin('/v1/exports', { json, headers })).status).toBe(202);
      expect((await call('/v1/exports', { json, headers: { 'user-agent': 'ci/2' } })).status).toBe(202);
      const { data } = await bodyOf(call('/v1/events?action=logferry.export.created&sort=sequence_number'));
      expect(data).toMatchObject([
        { actor: { id: null, type: 'management_key' }, context: { ip: '127.0.0.1', user_agent: 'auditor/1' } },
        { actor: { id: expect.any(String), type: 'api_key', name: 'test' }, context: { user_agent: 'ci/2' } },
      ]);
    });

    it('takes keys that it made like the configured one', async () => {
      const { key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'ops' } }));
      expect(key).toMatch(/^lf_admin_/);
      expect((await app.caller(key)('/v1/tenants')).status).toBe(200);
    });
  });
});

describe('A tenant of another region', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_REGIONS: '{"us": "https://us.example.com"}' });
  });
  afterAll(() => app.close());

  it('is answered 421 with the address of its home', async () => {
    const { id } = await bodyOf(app.admin('/v1/tenants', { json: { name: 'Far', region: 'us' } }));
    const reply = await app.admin('/v1/webhooks', { headers: { 'Logferry-Tenant': id } });
    expect(reply.status).toBe(421);
    expect(reply.headers.get('location')).toBe('https://us.example.com');
    expect(await bodyOf(reply)).toMatchObject({
      base_url: 'https://us.example.com',
      error: { type: 'misdirected_request' },
    });
    expect((await app.admin('/v1/api-keys', { json: { name: 'x', tenant_id: id } })).status).toBe(421);
    expect((await app.admin(`/v1/tenants/${id}`)).status).toBe(200);
  });

  it('is answered 421 without an address when that is not known', async () => {
    const { tenant, call } = await app.newTenant();
    await app.database.pool.query(`update tenants set region = 'ca' where id = $1`, [tenant.id]);
    const reply = await call('/v1/webhooks');
    expect(reply.status).toBe(421);
    expect(reply.headers.get('location')).toBeNull();
    expect(await bodyOf(reply)).not.toHaveProperty('base_url');
  });

  it('can be told from GET /v1/regions, which needs no key', async () => {
    expect(await bodyOf(fetch(`${app.url}/v1/regions`))).toEqual({
      data: [
        { region: 'eu', base_url: app.url, current: true },
        { region: 'us', base_url: 'https://us.example.com', current: false },
      ],
      meta: { next_cursor: null, has_more: false },
    });
  });
});

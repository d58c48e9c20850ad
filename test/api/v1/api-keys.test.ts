import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '../../../core/access/api-keys.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

describe('/v1/api-keys', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('shows a key once, in the reply that makes it', async () => {
    const { tenant } = await app.newTenant();
    const reply = await app.admin('/v1/api-keys', {
      json: { name: 'ci', tenant_id: tenant.id, scopes: ['export'], expires_at: '2099-01-01T00:00:00+01:00' },
    });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('cache-control')).toBe('private, no-store');
    const { key, ...made } = await bodyOf(reply);
    expect(key).toMatch(/^lf_sk_[0-9A-Za-z]{36}$/);
    expect(made).toEqual({
      id: expect.any(String),
      name: 'ci',
      scopes: ['export'],
      tenant_id: tenant.id,
      prefix: key.slice(0, 14),
      created_at: expect.stringMatching(/\.\d{6}Z$/),
      expires_at: '2098-12-31T23:00:00.000000Z',
      revoked_at: null,
    });
    expect(reply.headers.get('location')).toBe(`/v1/api-keys/${made.id}`);
    expect(await bodyOf(app.admin(`/v1/api-keys/${made.id}`))).toEqual(made);
    const { data } = await bodyOf(app.admin(`/v1/api-keys?tenant_id=${tenant.id}`));
    expect(data).toContainEqual(made);
  });

  describe('with a management key', () => {
    const unnamed = scopes.filter((scope) => scope !== 'erase');
    it('makes a management key when no tenant is named, with the scopes that need not be named', async () => {
      const made = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'ops' } }));
      expect(made).toMatchObject({ tenant_id: null, scopes: unnamed, key: expect.stringMatching(/^lf_admin_/) });
    });

    it('makes a key of the tenant in the body or the header, by either id, with the same scopes', async () => {
      const { tenant } = await app.newTenant({ external_id: 'acme' });
      const header = { 'Logferry-Tenant': tenant.id };
      const made = [
        app.admin('/v1/api-keys', { json: { name: 'x', tenant_id: 'acme' } }),
        app.admin('/v1/api-keys', { json: { name: 'x' }, headers: header }),
        app.admin('/v1/api-keys', { json: { name: 'x', tenant_id: 'acme' }, headers: header }),
      ];
      for (const each of made) expect(await bodyOf(each)).toMatchObject({ tenant_id: tenant.id, scopes: unnamed });
    });

    it('answers 422 when body and header name two tenants, 404 when the tenant is unknown', async () => {
      const [one, two] = [await app.newTenant(), await app.newTenant()];
      const json = { name: 'x', tenant_id: one.tenant.id };
      const both = await app.admin('/v1/api-keys', { json, headers: { 'Logferry-Tenant': two.tenant.id } });
      expect(both.status).toBe(422);
      expect((await bodyOf(both)).errors).toMatchObject([{ path: 'tenant_id' }]);
      expect((await app.admin('/v1/api-keys', { json: { name: 'x', tenant_id: 'nobody' } })).status).toBe(404);
    });

    it('gives no scope that a management key was not given', async () => {
      const { tenant } = await app.newTenant();
      const { key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'writer', scopes: ['events:write'] } }));
      const writer = app.caller(key);
      expect((await writer('/v1/webhooks', { headers: { 'Logferry-Tenant': tenant.id } })).status).toBe(403);
      expect((await writer('/v1/api-keys', { json: { name: 'x', scopes: ['export'] } })).status).toBe(403);
      const made = await bodyOf(writer('/v1/api-keys', { json: { name: 'x', tenant_id: tenant.id } }));
      expect(made.scopes).toEqual(['events:write']);
    });

    it('lists all keys, newest first, over pages', async () => {
      const { data, meta } = await bodyOf(app.admin('/v1/api-keys?limit=2'));
      const { data: rest } = await bodyOf(app.admin(`/v1/api-keys?limit=100&cursor=${meta.next_cursor}`));
      const { rows } = await app.database.pool.query('select id from api_keys order by id desc');
      expect([...data, ...rest].map((key: { id: string }) => key.id)).toEqual(rows.map((row) => row.id));
    });
  });

  describe("with a tenant's key", () => {
    it('makes keys of its own tenant, with its own scopes unless fewer are named', async () => {
      const { tenant, call } = await app.newTenant({ scopes: ['export', 'keys:manage'] });
      const made = await bodyOf(call('/v1/api-keys', { json: { name: 'same' } }));
      expect(made).toMatchObject({ tenant_id: tenant.id, scopes: ['export', 'keys:manage'] });
      const fewer = await bodyOf(
        call('/v1/api-keys', { json: { name: 'fewer', scopes: ['export'], tenant_id: tenant.id } }),
      );
      expect(fewer).toMatchObject({ tenant_id: tenant.id, scopes: ['export'] });
    });

    it('gives no scope that it lacks itself', async () => {
      const { call } = await app.newTenant({ scopes: ['export', 'keys:manage'] });
      const reply = await call('/v1/api-keys', { json: { name: 'x', scopes: ['export', 'verify'] } });
      expect(reply.status).toBe(403);
      expect((await bodyOf(reply)).error).toMatchObject({
        type: 'scope_error',
        message: expect.stringContaining('verify'),
      });
    });

    it('needs keys:manage for every call', async () => {
      const { call } = await app.newTenant({ scopes: scopes.filter((scope) => scope !== 'keys:manage') });
      const replies = [
        call('/v1/api-keys'),
        call('/v1/api-keys', { json: { name: 'x' } }),
        call('/v1/api-keys/018f0000-0000-7000-8000-000000000000', { method: 'DELETE' }),
      ];
      for (const reply of replies) expect((await reply).status).toBe(403);
    });

    it("sees and revokes no other tenant's key: the same 404 as for a missing one", async () => {
      const [mine, other] = [await app.newTenant(), await app.newTenant()];
      const { data } = await bodyOf(other.call('/v1/api-keys'));
      const ids = [data[0].id, '018f0000-0000-7000-8000-000000000000', 'x'];
      for (const method of ['GET', 'DELETE']) {
        const answers = ids.map(async (id) => {
          const reply = await mine.call(`/v1/api-keys/${id}`, { method });
          const { request_id, ...body } = await bodyOf(reply);
          return { status: reply.status, body };
        });
        const [first, ...rest] = await Promise.all(answers);
        expect(first!.status).toBe(404);
        for (const each of rest) expect(each).toEqual(first);
      }
      expect((await other.call('/v1/api-keys')).status).toBe(200);
      const own = (await bodyOf(mine.call('/v1/api-keys'))).data;
      expect(own.map((key: { tenant_id: string }) => key.tenant_id)).toEqual([mine.tenant.id]);
    });

    it('makes none for another tenant and no management key', async () => {
      const [mine, other] = [await app.newTenant(), await app.newTenant()];
      for (const tenant_id of [other.tenant.id, 'nobody', null]) {
        const reply = await mine.call('/v1/api-keys', { json: { name: 'x', tenant_id } });
        expect(reply.status).toBe(422);
      }
    });
  });

  it('revokes for good, and answers 204 again for a key that was revoked', async () => {
    const { tenant } = await app.newTenant();
    const { id, key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'x', tenant_id: tenant.id } }));
    const revoke = () => app.admin(`/v1/api-keys/${id}`, { method: 'DELETE' });
    expect((await revoke()).status).toBe(204);
    const { revoked_at } = await bodyOf(app.admin(`/v1/api-keys/${id}`));
    expect(revoked_at).toMatch(/\.\d{6}Z$/);
    expect((await revoke()).status).toBe(204);
    expect((await bodyOf(app.admin(`/v1/api-keys/${id}`))).revoked_at).toBe(revoked_at);
    expect((await app.caller(key)('/v1/api-keys')).status).toBe(401);
  });

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x', scopes: [] }, 'scopes'],
    [{ name: 'x', scopes: 'export' }, 'scopes'],
    [{ name: 'x', scopes: ['exports'] }, 'scopes.0'],
    [{ name: 'x', expires_at: 'tomorrow' }, 'expires_at'],
    [{ name: 'x', expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'x', expires_at: 4102444800 }, 'expires_at'],
    [{ name: 'x', tenant: 'y' }, 'tenant'],
  ])('answers 422 for %j', async (json, path) => {
    const reply = await app.admin('/v1/api-keys', { json });
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).errors).toMatchObject([{ path }]);
  });
});

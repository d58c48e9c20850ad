import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, type Call, startApp } from './start-app.ts';

describe('What is done to keys, webhooks and tenants', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({
      LOGFERRY_RATE_LIMIT: '100000',
      LOGFERRY_SWEEP_SECONDS: '1',
      LOGFERRY_WEBHOOK_ALLOW: 'localhost',
    });
  });
  afterAll(() => app.close());

  type Event = {
    action: string;
    target: { type: string; id: string };
    metadata: Record<string, unknown>;
    actor: object;
  };
  const told = async (call: Call, action = 'logferry.*'): Promise<Event[]> =>
    (await bodyOf(call(`/v1/events?action=${action}&sort=sequence_number`))).data;

  it('stands in the log of the tenant, with who did it', async () => {
    const tenant = await bodyOf(app.admin('/v1/tenants', { json: { name: 'Acme' } }));
    const { id, key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'first', tenant_id: tenant.id } }));
    const call = app.caller(key);
    const child = await bodyOf(call('/v1/api-keys', { json: { name: 'child' } }));
    const hook = await bodyOf(call('/v1/webhooks', { json: { url: 'http://localhost:9000/' } }));
    await call(`/v1/webhooks/${hook.id}`, { method: 'PATCH', json: { description: 'x' } });
    await call(`/v1/webhooks/${hook.id}/rotate-secret`, { method: 'POST' });
    await call(`/v1/webhooks/${hook.id}`, { method: 'DELETE' });
    await app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json: { csv_formulas: 'neutralize' } });
    await call(`/v1/api-keys/${child.id}`, { method: 'DELETE' });
    const events = await told(call);
    expect(events.map(({ action, target }) => [action, target.type, target.id])).toEqual([
      ['logferry.tenant.created', 'tenant', tenant.id],
      ['logferry.key.created', 'api_key', id],
      ['logferry.key.created', 'api_key', child.id],
      ['logferry.webhook.created', 'webhook', hook.id],
      ['logferry.webhook.changed', 'webhook', hook.id],
      ['logferry.webhook.secret_rotated', 'webhook', hook.id],
      ['logferry.webhook.deleted', 'webhook', hook.id],
      ['logferry.tenant.changed', 'tenant', tenant.id],
      ['logferry.key.revoked', 'api_key', child.id],
    ]);
    expect(events[0]!.metadata).toMatchObject({ csv_formulas: 'keep' });
    expect(events[7]!.metadata).toEqual({ csv_formulas: 'neutralize' });
    expect(events[1]!.actor).toMatchObject({ type: 'management_key' });
    expect(events[2]!.actor).toMatchObject({ type: 'api_key', id });
    expect(JSON.stringify(events)).not.toMatch(/lf_sk_\w{20}|whsec_/);
    expect(await bodyOf(call('/v1/verify'))).toMatchObject({ data: { status: 'valid' } });
  });

  it('stands in the log of the management where no tenant is concerned, and that log is no tenant', async () => {
    const made = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'operator' } }));
    await app.admin(`/v1/api-keys/${made.id}`, { method: 'DELETE' });
    const { data } = await bodyOf(app.admin('/v1/management-events?action=logferry.key.*&sort=sequence_number'));
    expect(data.map((event: Event) => [event.action, event.target.id])).toEqual([
      ['logferry.key.created', made.id],
      ['logferry.key.revoked', made.id],
    ]);
    const logId = '00000000-0000-7000-8000-000000000000';
    expect((await app.admin(`/v1/tenants/${logId}`)).status).toBe(404);
    expect((await app.admin('/v1/events', { headers: { 'logferry-tenant': logId } })).status).toBe(404);
    expect(JSON.stringify(await bodyOf(app.admin('/v1/tenants?limit=100')))).not.toContain(logId);
  });

  it('stands in the log of the management for a tenant that a write to Frontegg made, and its own log holds what was written', async () => {
    const { id, key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'environment' } }));
    const { token } = await bodyOf(app.admin('/auth/vendor', { json: { clientId: id, secret: key } }));
    const headers = { 'x-access-token': token, 'frontegg-tenant-id': 'implicit', 'content-type': 'application/json' };
    const write = () =>
      fetch(`${app.url}/audits`, { method: 'POST', headers, body: '{"action": "a", "severity": "Info"}' });
    await write();
    await write();
    const tenant = await bodyOf(app.admin('/v1/tenants/implicit'));
    const { data } = await bodyOf(app.admin(`/v1/management-events?target_id=${tenant.id}`));
    expect(data).toMatchObject([
      {
        action: 'logferry.tenant.created',
        target: { type: 'tenant', id: tenant.id },
        actor: { id },
        metadata: { name: 'implicit', external_id: 'implicit', plan: tenant.plan },
      },
    ]);
    const listed = await bodyOf(app.admin('/v1/events', { headers: { 'logferry-tenant': 'implicit' } }));
    expect(listed.data.map((event: Event) => event.action)).toEqual(['a', 'a']);
  });

  it('tells how many sign-ins were refused: of a key that there was in its tenant, of others in the management', async () => {
    const { call, tenant } = await app.newTenant();
    const { id, key } = await bodyOf(call('/v1/api-keys', { json: { name: 'gone' } }));
    await call(`/v1/api-keys/${id}`, { method: 'DELETE' });
    for (let i = 0; i < 3; i++) expect((await app.caller(key)('/v1/webhooks')).status).toBe(401);
    expect((await app.caller('lf_sk_nothing')('/v1/webhooks')).status).toBe(401);
    const count = (events: Event[]) => events.reduce((sum, event) => sum + Number(event.metadata.count), 0);
    await expect.poll(async () => count(await told(call, 'logferry.sign_in.refused'))).toBe(3);
    const others = async () =>
      count((await bodyOf(app.admin('/v1/management-events?action=logferry.sign_in.refused'))).data);
    await expect.poll(others).toBe(1);
    expect(tenant.id).toBeTruthy();
  });
});

describe('Keys', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({
      LOGFERRY_PLAN_LIMITS: '{"pro": {"api_keys": 3, "webhooks": 1}}',
      LOGFERRY_WEBHOOK_ALLOW: 'localhost',
    });
  });
  afterAll(() => app.close());

  it('that a key of a tenant has made end with it, and no later', async () => {
    const { call } = await app.newTenant();
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const parent = await bodyOf(call('/v1/api-keys', { json: { name: 'parent', expires_at: soon } }));
    const later = new Date(Date.now() + 86_400_000).toISOString();
    const child = await bodyOf(app.caller(parent.key)('/v1/api-keys', { json: { name: 'child', expires_at: later } }));
    expect(child.expires_at).toBe(parent.expires_at);
    expect((await app.caller(child.key)('/v1/webhooks')).status).toBe(200);
    await call(`/v1/api-keys/${parent.id}`, { method: 'DELETE' });
    expect((await app.caller(child.key)('/v1/webhooks')).status).toBe(401);
    expect((await bodyOf(call(`/v1/api-keys/${child.id}`))).revoked_at).not.toBeNull();
    expect((await call('/v1/webhooks')).status).toBe(200);
  });

  it('are as many as the plan has, and so are webhooks', async () => {
    const { call } = await app.newTenant();
    const make = (path: string, json: object) => call(path, { json });
    const keys = await Promise.all([1, 2, 3, 4].map((n) => make('/v1/api-keys', { name: `k${n}` })));
    expect(keys.map(({ status }) => status).sort()).toEqual([201, 201, 429, 429]);
    const refused = await bodyOf(make('/v1/api-keys', { name: 'more' }));
    expect(refused).toMatchObject({
      error: { type: 'plan_limit_exceeded' },
      limit: { name: 'api_keys', limit: 3, used: 3 },
    });
    const url = 'http://localhost:9000/';
    const hooks = await Promise.all([1, 2].map(() => make('/v1/webhooks', { url })));
    expect(hooks.map(({ status }) => status).sort()).toEqual([201, 429]);
  });
});

describe('Rates', () => {
  it('hold for all keys of a tenant together, and the headers show the nearer limit', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '10', LOGFERRY_TENANT_RATE_LIMIT: '15' });
    const { call, tenant } = await app.newTenant();
    const second = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'second', tenant_id: tenant.id } }));
    const other = app.caller(second.key);
    for (let i = 0; i < 8; i++) expect((await call('/v1/webhooks')).status).toBe(200);
    const nearer = await other('/v1/webhooks');
    expect([nearer.headers.get('x-ratelimit-limit'), nearer.headers.get('x-ratelimit-remaining')]).toEqual(['15', '6']);
    for (let i = 0; i < 6; i++) expect((await other('/v1/webhooks')).status).toBe(200);
    const refused = await other('/v1/webhooks');
    expect([refused.status, (await bodyOf(refused)).detail]).toEqual([429, expect.stringContaining('of this tenant')]);
    expect((await (await app.newTenant()).call('/v1/webhooks')).status).toBe(200);
    await app.close();
  });

  it('hold for made-up keys by address before they are looked up, and keys in good use go on', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '1000' });
    const { call } = await app.newTenant();
    expect((await call('/v1/webhooks')).status).toBe(200);
    const statuses = [];
    for (let i = 0; i < 65; i++) statuses.push((await app.caller(`lf_sk_made_up_${i}`)('/v1/webhooks')).status);
    expect(statuses.slice(0, 60)).toEqual(Array(60).fill(401));
    expect(statuses.slice(60)).toEqual(Array(5).fill(429));
    const fresh = await app.newTenant();
    const unknown = await fresh.call('/v1/webhooks');
    expect([unknown.status, Number(unknown.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect((await call('/v1/webhooks')).status).toBe(200);
    await app.close();
  });
});

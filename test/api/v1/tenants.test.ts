import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from '../start-app.ts';

describe('/v1/tenants', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_REGIONS: '{"us": "https://us.example.com"}' });
  });
  afterAll(() => app.close());

  const create = (json: unknown) => app.admin('/v1/tenants', { json });

  it('makes a tenant with the defaults of this deployment', async () => {
    const reply = await create({ name: 'Acme' });
    const tenant = await bodyOf(reply);
    expect(reply.status).toBe(201);
    expect(tenant).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      name: 'Acme',
      plan: 'pro',
      region: 'eu',
      external_id: null,
      csv_formulas: 'keep',
      status: 'active',
      retention_days: null,
      legal_hold: false,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    expect(reply.headers.get('location')).toBe(`/v1/tenants/${tenant.id}`);
    expect(await bodyOf(app.admin(`/v1/tenants/${tenant.id}`))).toEqual(tenant);
  });

  it('makes the head of its chain with it', async () => {
    const { id } = await bodyOf(create({ name: 'Acme' }));
    const head = 'select tenant_id, sequence_number, hash from chain_heads where tenant_id = $1';
    const { rows } = await app.database.pool.query(head, [id]);
    // The first event tells that the tenant was made.
    expect(rows).toEqual([{ tenant_id: id, sequence_number: '1', hash: expect.any(Buffer) }]);
  });

  it('finds a tenant by its external id as well', async () => {
    const tenant = await bodyOf(create({ name: 'Acme', external_id: 'acme/42' }));
    expect(await bodyOf(app.admin('/v1/tenants/acme%2F42'))).toEqual(tenant);
  });

  it('answers 409 for an external id that is taken, at creation and at a change', async () => {
    const first = await bodyOf(create({ name: 'First', external_id: 'taken' }));
    const second = await bodyOf(create({ name: 'Second' }));
    const attempts = [
      create({ name: 'Third', external_id: 'taken' }),
      create({ name: 'Third', external_id: first.id }),
      app.admin(`/v1/tenants/${second.id}`, { method: 'PATCH', json: { external_id: 'taken' } }),
    ];
    for (const attempt of attempts) {
      const reply = await attempt;
      expect(reply.status).toBe(409);
      expect(await bodyOf(reply)).toMatchObject({ error: { type: 'conflict' } });
    }
  });

  it('makes one of two tenants that ask for the same external id at once', async () => {
    const replies = await Promise.all([1, 2, 3, 4].map(() => create({ name: 'Twin', external_id: 'twin' })));
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, 409, 409, 409]);
  });

  it('changes what is given and leaves the rest', async () => {
    const tenant = await bodyOf(create({ name: 'Before', plan: 'free', external_id: 'stays' }));
    const patch = (json: unknown) => bodyOf(app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json }));
    expect(await patch({ plan: 'enterprise' })).toEqual({ ...tenant, plan: 'enterprise' });
    expect(await patch({ external_id: 'stays' })).toEqual({ ...tenant, plan: 'enterprise' });
    expect(await patch({ external_id: null, name: 'After' })).toMatchObject({ external_id: null, name: 'After' });
  });

  it('keeps how long events are kept and whether they may go, and tells of both in the log of the tenant', async () => {
    const tenant = await bodyOf(create({ name: 'Kept', retention_days: 36_500, legal_hold: true }));
    expect(tenant).toMatchObject({ retention_days: 36_500, legal_hold: true });
    const patch = (json: unknown) => bodyOf(app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json }));
    expect(await patch({ retention_days: null })).toMatchObject({ retention_days: null, legal_hold: true });
    expect(await patch({ legal_hold: false, retention_days: 1 })).toMatchObject({
      retention_days: 1,
      legal_hold: false,
    });
    const headers = { 'logferry-tenant': tenant.id };
    const { data } = await bodyOf(app.admin('/v1/events?action=logferry.tenant.*&sort=sequence_number', { headers }));
    expect(data.map((event: { metadata: object }) => event.metadata)).toEqual([
      { name: 'Kept', plan: 'pro', external_id: null, csv_formulas: 'keep', retention_days: 36_500, legal_hold: true },
      { retention_days: null },
      { retention_days: 1, legal_hold: false },
    ]);
  });

  it.each([
    [{}, 'name', 'is required'],
    [{ name: 7 }, 'name', 'must be text'],
    [{ name: 'a\0b' }, 'name', 'NUL'],
    [{ name: 'a\ud800' }, 'name', 'surrogate'],
    [{ name: 'x', plan: 'prro' }, 'plan', 'did you mean "pro"? Allowed: free, pro, enterprise'],
    [{ name: 'x', region: 'uss' }, 'region', 'did you mean "us"? Allowed: eu, us'],
    [{ name: 'x', external_id: 'é' }, 'external_id', 'ASCII'],
    [{ name: 'x', retention_days: 0 }, 'retention_days', 'at least 1 day'],
    [{ name: 'x', retention_days: 36_501 }, 'retention_days', 'at most 36500 days'],
    [{ name: 'x', retention_days: 1.5 }, 'retention_days', 'whole number'],
    [{ name: 'x', legal_hold: null }, 'legal_hold', 'true or false'],
    [{ name: 'x', plann: 'pro' }, 'plann', 'did you mean "plan"?'],
    [JSON.parse('{"name": "x", "__proto__": {"plan": "free"}}'), '__proto__', 'unknown member'],
    [['name'], '', 'must be a JSON object'],
    ['name', '', 'must be a JSON object'],
    [null, '', 'must be a JSON object'],
  ])('answers 422 for %j, naming the member', async (json, path, message) => {
    const reply = await create(json);
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).errors).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  it('answers 422 for a change of nothing, and of the region', async () => {
    const { id } = await bodyOf(create({ name: 'Acme' }));
    for (const json of [{}, { region: 'us' }]) {
      expect((await app.admin(`/v1/tenants/${id}`, { method: 'PATCH', json })).status).toBe(422);
    }
  });

  it.each(['018f0000-0000-7000-8000-000000000000', 'nobody', '%00', '%F0%9F%8D%A3'])(
    'answers 404 for %s',
    async (id) => {
      const reply = await app.admin(`/v1/tenants/${id}`);
      expect(reply.status).toBe(404);
      expect((await bodyOf(reply)).error.type).toBe('not_found');
      expect((await app.admin(`/v1/tenants/${id}`, { method: 'PATCH', json: { name: 'x' } })).status).toBe(404);
    },
  );

  it('lists all tenants once over its pages, newest first', async () => {
    for (let i = 0; i < 3; i++) await create({ name: 'Listed' });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await bodyOf(app.admin(`/v1/tenants?limit=2${cursor ? `&cursor=${cursor}` : ''}`));
      expect(page.data.length).toBeLessThanOrEqual(2);
      expect(page.meta.has_more).toBe(page.meta.next_cursor !== null);
      seen.push(...page.data.map((tenant: { id: string }) => tenant.id));
      cursor = page.meta.next_cursor;
    } while (cursor);
    const { rows } = await app.database.pool.query('select id from tenants where region <> $1 order by id desc', ['']);
    expect(seen).toEqual(rows.map((row) => row.id));
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=', 'limit'],
    ['limit=2&limit=3', 'limit'],
    ['cursor=', 'cursor'],
    ['cursor=!!', 'cursor'],
    ['cursor=e30', 'cursor'],
    ['cursor=eyJpZCI6ICInOyBkcm9wIn0', 'cursor'],
    ['limitt=3', 'limitt'],
  ])('answers 422 for ?%s', async (query, path) => {
    const reply = await app.admin(`/v1/tenants?${query}`);
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).errors).toMatchObject([{ path }]);
  });

  it("is closed to tenants' keys", async () => {
    const { call, tenant } = await app.newTenant();
    const replies = [
      call('/v1/tenants'),
      call('/v1/tenants', { json: { name: 'x' } }),
      call(`/v1/tenants/${tenant.id}`),
      call(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json: { plan: 'enterprise' } }),
    ];
    for (const reply of replies) {
      expect((await reply).status).toBe(403);
      expect(await bodyOf(reply)).toMatchObject({ error: { type: 'scope_error' } });
    }
  });
});

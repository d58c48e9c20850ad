import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addEvents } from '../add-events.ts';
import { type App, bodyOf, type Call, startApp } from '../api/start-app.ts';

const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
const uuidV7 = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);

/** Nothing runs exports here: they stay queued, and what the API itself does can be seen. */
describe('/v1/exports', () => {
  let app: App;
  let call: Call;
  let tenantId: string;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' });
    const made = await app.newTenant();
    call = made.call;
    tenantId = made.tenant.id;
  });
  afterAll(() => app.close());

  const create = (json: object, headers: Record<string, string> = {}, by = call) =>
    by('/v1/exports', { json, headers });
  const auditLog = async (tenant: string) =>
    (
      await app.database.pool.query(
        `select action, actor_id, actor_type, actor_name, context_ip, context_user_agent, target_type, target_id, metadata
         from events where tenant_id = $1 and action like 'logferry.%' order by sequence_number`,
        [tenant],
      )
    ).rows;

  describe('POST', () => {
    it('keeps a filter whose paths are written with escapes, whatever keys were read before', async () => {
      // JSON.parse may mistake such keys for others: core/json/escaped-keys.ts.
      for (const path of ['["a\\"b"]', '["a\\\\b"]', '["x"]["\\u0001"]', '["\\""]', '["\\\\"]']) {
        const filter = { metadata: { [path]: 1 } };
        const { id } = await bodyOf(create({ format: 'csv', filter }));
        const text = await (await call(`/v1/exports/${id}`)).text();
        expect(text).toContain(JSON.stringify(filter));
      }
    });

    it('answers 202 with the queued export, where to poll it, and enqueues it', async () => {
      const reply = await create({ format: 'csv' });
      const body = await bodyOf(reply);
      expect(reply.status).toBe(202);
      expect(reply.headers.get('location')).toBe(`/v1/exports/${body.id}`);
      expect(reply.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(reply.headers.get('idempotency-replayed')).toBeNull();
      expect(body).toMatchObject({
        id: uuidV7,
        object: 'export',
        status: 'queued',
        format: 'csv',
        compression: 'none',
        filter: {},
        properties: [],
        as_of: timestamp,
        as_of_sequence: expect.any(Number),
        resumable: true,
        progress: { phase: 'queued', rows: 0, bytes: 0, percent: 0 },
        rows: null,
        bytes: null,
        sha256: null,
        complete: null,
        download_url: null,
        download_url_expires_at: null,
        attempt: 1,
        error: null,
        created_at: timestamp,
        started_at: null,
        completed_at: null,
        expires_at: null,
      });
      expect(body.file_name).toMatch(/^events-export-\d{8}T\d{6}Z\.csv$/);
      expect(body.file_name.slice(14, 30)).toBe(`${body.as_of.slice(0, 19).replaceAll(/[-:]/g, '')}Z`);
      expect(app.jobs.exports).toContain(body.id);
    });

    it('keeps the request as it was given', async () => {
      const request = {
        format: 'csv',
        compression: 'gzip',
        filter: { action: ['user.*', 'file.read'], from: '2025-01-01', metadata: { 'a.b[0]': { $gte: 1 } } },
        properties: [{ name: 'occurred_at', displayName: 'Time' }, { name: 'metadata.x["a.b"]' }],
        sort: [{ field: 'actor.email', direction: 'desc' }],
      };
      const body = await bodyOf(create({ ...request, file_name: 'january', csv: { bom: true, delimiter: ';' } }));
      expect(body).toMatchObject({ ...request, file_name: 'january.csv.gz', resumable: false });
      expect(body.csv).toMatchObject({ bom: true, delimiter: ';', header: true, line_ending: 'crlf' });
    });

    it('bounds the export by the sequence number before its own audit event', async () => {
      const { call, tenant } = await app.newTenant();
      await addEvents(app.database, tenant.id, [{ action: 'a' }, { action: 'b' }]);
      const first = await bodyOf(create({ format: 'json' }, {}, call));
      const second = await bodyOf(create({ format: 'json' }, {}, call));
      expect([first.as_of_sequence, second.as_of_sequence]).toEqual([2, 3]);
    });

    it('writes who made it, from where, and of what into the audit log', async () => {
      const { call, tenant } = await app.newTenant();
      const keys = await bodyOf(app.admin('/v1/api-keys', { headers: { 'logferry-tenant': tenant.id } }));
      const headers = { 'user-agent': 'Auditor/2.0 "quoted"' };
      const { id } = await bodyOf(create({ format: 'csv', filter: { action: 'user.*' } }, headers, call));
      const log = await auditLog(tenant.id);
      expect(log).toEqual([
        {
          action: 'logferry.export.created',
          actor_id: expect.any(String),
          actor_type: 'api_key',
          actor_name: 'test',
          context_ip: '127.0.0.1',
          context_user_agent: 'Auditor/2.0 "quoted"',
          target_type: 'export',
          target_id: id,
          metadata: expect.objectContaining({ format: 'csv', filter: { action: 'user.*' } }),
        },
      ]);
      const own = keys.data.find((key: { tenant_id: string }) => key.tenant_id === tenant.id);
      if (own) expect(log[0]!.actor_id).toBe(own.id);
    });

    it.each([
      ['january', 'csv', 'none', 'january.csv'],
      ['january.csv', 'csv', 'none', 'january.csv'],
      ['january.csv', 'csv', 'gzip', 'january.csv.gz'],
      ['january.csv.gz', 'csv', 'gzip', 'january.csv.gz'],
      ['JANUARY.CSV', 'csv', 'none', 'JANUARY.CSV'],
      ['v1.2', 'ndjson', 'zstd', 'v1.2.ndjson.zst'],
      ['.csv', 'json', 'none', '.csv.json'],
      ['Ünïcode 文件 😀', 'json', 'none', 'Ünïcode 文件 😀.json'],
    ])('names %j as %s/%s %j', async (file_name, format, compression, named) => {
      expect((await bodyOf(create({ format, compression, file_name }))).file_name).toBe(named);
    });

    it('shows a made webhook secret in this reply alone', async () => {
      const webhook = { url: 'http://127.0.0.1:9999/hook' };
      const headers = { 'idempotency-key': randomUUID() };
      const created = await bodyOf(create({ format: 'csv', webhook }, headers));
      expect(created.webhook).toEqual({
        ...webhook,
        secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/),
      });
      const later = [
        await (await call(`/v1/exports/${created.id}`)).text(),
        await (await call('/v1/exports')).text(),
        await (await create({ format: 'csv', webhook }, headers)).text(),
      ];
      for (const text of later) expect(text).not.toContain(created.webhook.secret);
      const { rows } = await app.database.pool.query('select secret from webhooks where export_id = $1', [created.id]);
      expect(rows[0].secret.toString('latin1')).not.toContain(created.webhook.secret.slice(6));
    });

    it.each([
      [60, true],
      [7_776_000, true],
      [59, false],
      [7_776_001, false],
      [3600.5, false],
      ['3600', false],
    ])('expires_in %j: taken is %j', async (expires_in, taken) => {
      const reply = await create({ format: 'csv', expires_in: expires_in as number });
      expect(reply.status).toBe(taken ? 202 : 422);
      if (!taken) expect((await bodyOf(reply)).errors).toMatchObject([{ path: 'expires_in' }]);
    });

    it('answers 202 with the unfinished export when Prefer: wait runs out', async () => {
      const started = performance.now();
      const reply = await create({ format: 'csv' }, { prefer: 'wait=1' });
      expect(reply.status).toBe(202);
      expect(reply.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(performance.now() - started).toBeGreaterThan(900);
      expect((await bodyOf(reply)).status).toBe('queued');
    });

    it('answers 202 within two seconds when the queue hangs', async () => {
      const hanging = await startApp(
        {},
        { queue: { ...app.deps.queue, enqueueExport: () => new Promise<never>(() => {}) } },
      );
      try {
        const { call } = await hanging.newTenant();
        const started = performance.now();
        const reply = await call('/v1/exports', { json: { format: 'csv' } });
        expect(reply.status).toBe(202);
        expect(performance.now() - started).toBeLessThan(2000);
      } finally {
        await hanging.close();
      }
    });
  });

  describe('Idempotency-Key', () => {
    it('answers the same body with the first export and says so', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      const first = await create({ format: 'csv', filter: { action: 'a', actor_id: 'b' } }, headers);
      const again = await create({ filter: { actor_id: 'b', action: 'a' }, format: 'csv' }, headers);
      expect([first.status, again.status]).toEqual([202, 202]);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      const { id } = await bodyOf(first);
      expect((await bodyOf(again)).id).toBe(id);
      expect(again.headers.get('location')).toBe(`/v1/exports/${id}`);
    });

    it('answers 422 idempotency_mismatch for another body, and makes nothing', async () => {
      const { call, tenant } = await app.newTenant();
      const headers = { 'idempotency-key': 'one' };
      await create({ format: 'csv' }, headers, call);
      const reply = await create({ format: 'json' }, headers, call);
      expect(reply.status).toBe(422);
      expect(await bodyOf(reply)).toMatchObject({ status: 422, error: { type: 'idempotency_mismatch' } });
      expect(await auditLog(tenant.id)).toHaveLength(1);
    });

    it('makes one export of twenty requests at the same moment', async () => {
      const { call, tenant } = await app.newTenant();
      const headers = { 'idempotency-key': randomUUID() };
      const replies = await Promise.all(Array.from({ length: 20 }, () => create({ format: 'csv' }, headers, call)));
      const bodies = await Promise.all(replies.map(bodyOf));
      expect(new Set(bodies.map((body) => body.id)).size).toBe(1);
      expect(replies.filter((reply) => reply.headers.get('idempotency-replayed') === null)).toHaveLength(1);
      expect(await auditLog(tenant.id)).toHaveLength(1);
    });

    it("takes another tenant's same key for another one", async () => {
      const other = await app.newTenant();
      const headers = { 'idempotency-key': randomUUID() };
      const mine = await bodyOf(create({ format: 'csv' }, headers));
      const theirs = await create({ format: 'json' }, headers, other.call);
      expect(theirs.status).toBe(202);
      expect(theirs.headers.get('idempotency-replayed')).toBeNull();
      expect((await bodyOf(theirs)).id).not.toBe(mine.id);
    });

    it('is free again after a refusal of the body', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      expect((await create({ format: 'xml' }, headers)).status).toBe(422);
      expect((await create({ format: 'csv' }, headers)).status).toBe(202);
    });

    it('is forgotten after 24 hours', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      const first = await bodyOf(create({ format: 'csv' }, headers));
      await app.database.pool.query(
        `update idempotency_keys set created_at = created_at - interval '24 hours 1 second' where key = $1`,
        [headers['idempotency-key']],
      );
      const reply = await create({ format: 'json' }, headers);
      expect(reply.status).toBe(202);
      expect((await bodyOf(reply)).id).not.toBe(first.id);
    });

    it.each(['', 'with space', 'x'.repeat(256)])('answers 400 for the key %j', async (key) => {
      const reply = await create({ format: 'csv' }, { 'idempotency-key': key });
      expect(reply.status).toBe(400);
      expect(await bodyOf(reply)).toMatchObject({ error: { type: 'bad_request' } });
    });
  });

  describe('GET', () => {
    it('reads one, with Retry-After while it is unfinished', async () => {
      const created = await bodyOf(create({ format: 'csv' }));
      const reply = await call(`/v1/exports/${created.id}`);
      expect(reply.status).toBe(200);
      expect(reply.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await bodyOf(reply)).toEqual(created);
    });

    it('takes an id in capitals', async () => {
      const { id } = await bodyOf(create({ format: 'csv' }));
      expect((await bodyOf(call(`/v1/exports/${id.toUpperCase()}`))).id).toBe(id);
    });

    it('lists newest first, by pages, without gap or double while new ones come', async () => {
      const { call } = await app.newTenant();
      const made: string[] = [];
      for (let i = 0; i < 7; i++) made.unshift((await bodyOf(create({ format: 'csv' }, {}, call))).id);
      const seen: string[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < 4; page++) {
        const reply: Response = await call(`/v1/exports?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
        const { data, meta } = await bodyOf(reply);
        expect(data.length).toBe(page < 3 ? 2 : 1);
        expect(meta.has_more).toBe(page < 3);
        seen.push(...data.map((each: { id: string }) => each.id));
        cursor = meta.next_cursor;
        await create({ format: 'json' }, {}, call);
      }
      expect(cursor).toBeNull();
      expect(seen).toEqual(made);
    });

    it('lists those of one status, or of several', async () => {
      const { call } = await app.newTenant();
      const queued = await bodyOf(create({ format: 'csv' }, {}, call));
      const canceled = await bodyOf(create({ format: 'csv' }, {}, call));
      await call(`/v1/exports/${canceled.id}/cancel`, { method: 'POST' });
      const ids = async (query: string) =>
        (await bodyOf(call(`/v1/exports?${query}`))).data.map((each: { id: string }) => each.id);
      expect(await ids('status=queued')).toEqual([queued.id]);
      expect(await ids('status=canceled')).toEqual([canceled.id]);
      expect(await ids('status=queued&status=canceled')).toEqual([canceled.id, queued.id]);
      expect(await ids('status=completed')).toEqual([]);
    });

    it.each([
      ['status=cancelled', 'status', /did you mean "canceled"/],
      ['status=', 'status', /queued, running, completed/],
      ['limit=0', 'limit', /1 to 100/],
      ['limit=101', 'limit', /1 to 100/],
      ['cursor=abc', 'cursor', /cursor/],
      ['stauts=queued', 'stauts', /did you mean "status"/],
    ])('answers 422 for ?%s', async (query, path, message) => {
      const reply = await call(`/v1/exports?${query}`);
      expect(reply.status).toBe(422);
      expect((await bodyOf(reply)).errors).toEqual([{ path, message: expect.stringMatching(message) }]);
    });
  });

  describe('cancel and DELETE of a queued one', () => {
    it('cancels at once with 202, and answers 409 the second time', async () => {
      const { call, tenant } = await app.newTenant();
      const { id } = await bodyOf(create({ format: 'csv' }, {}, call));
      const reply = await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
      expect(reply.status).toBe(202);
      expect(await bodyOf(reply)).toMatchObject({ id, status: 'canceled', completed_at: timestamp, complete: null });
      const again = await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
      expect(again.status).toBe(409);
      expect(await bodyOf(again)).toMatchObject({
        error: { type: 'conflict', message: expect.stringMatching(/canceled/) },
      });
      expect((await auditLog(tenant.id)).map((event) => event.action)).toEqual([
        'logferry.export.created',
        'logferry.export.canceled',
      ]);
    });

    it('deletes with 204 however often, and the record stays as canceled', async () => {
      const { call, tenant } = await app.newTenant();
      const { id } = await bodyOf(create({ format: 'csv' }, {}, call));
      for (let i = 0; i < 3; i++) {
        const reply = await call(`/v1/exports/${id}`, { method: 'DELETE' });
        expect(reply.status).toBe(204);
        expect(await reply.text()).toBe('');
      }
      expect(await bodyOf(call(`/v1/exports/${id}`))).toMatchObject({ status: 'canceled' });
      expect((await auditLog(tenant.id)).map((event) => event.action)).toEqual([
        'logferry.export.created',
        'logferry.export.deleted',
      ]);
    });

    it('answers 409 for a download before there is a file', async () => {
      const { id } = await bodyOf(create({ format: 'csv' }));
      const reply = await call(`/v1/exports/${id}/download`, { redirect: 'manual' });
      expect(reply.status).toBe(409);
      expect((await bodyOf(reply)).detail).toMatch(/queued/);
    });
  });

  describe('who may', () => {
    const routes = [
      ['GET', ''],
      ['GET', '/download'],
      ['GET', '/events'],
      ['GET', '/deliveries'],
      ['POST', '/cancel'],
      ['DELETE', ''],
    ] as const;

    it.each(routes)("answers %s …%s of another tenant's export like a missing one", async (method, suffix) => {
      const other = await app.newTenant();
      const { id } = await bodyOf(create({ format: 'csv' }));
      const [theirs, missing, noUuid] = await Promise.all(
        [id, randomUUID(), 'no-uuid'].map(async (each) => {
          const reply = await other.call(`/v1/exports/${each}${suffix}`, { method, redirect: 'manual' });
          const { request_id: _, ...body } = await bodyOf(reply);
          return { status: reply.status, type: reply.headers.get('content-type'), body };
        }),
      );
      expect(theirs).toMatchObject({ status: 404, body: { error: { type: 'not_found' } } });
      expect(theirs).toEqual(missing);
      expect(theirs).toEqual(noUuid);
      expect((await bodyOf(call(`/v1/exports/${id}`))).status).toBe('queued');
    });

    it('answers 403 scope_error without the scope export, on every route', async () => {
      const { call: without } = await app.newTenant({
        scopes: ['events:read', 'events:write', 'webhooks:manage', 'keys:manage', 'verify'],
      });
      const calls: [string, string][] = [
        ['GET', '/v1/exports'],
        ['POST', '/v1/exports'],
        ['POST', '/v1/exports/estimate'],
        ...routes.map(([method, suffix]): [string, string] => [method, `/v1/exports/${randomUUID()}${suffix}`]),
      ];
      for (const [method, path] of calls) {
        const body = method === 'POST' ? { json: { format: 'csv' } } : {};
        const reply = await without(path, { method, ...body });
        expect([method, path, reply.status]).toEqual([method, path, 403]);
        const { error } = await bodyOf(reply);
        expect(error).toMatchObject({ type: 'scope_error', message: expect.stringContaining('"export"') });
      }
    });

    it('answers 403 plan_feature_unavailable on the plan free for what makes exports, and lets it read', async () => {
      const { call: free } = await app.newTenant({ plan: 'free' });
      for (const path of ['/v1/exports', '/v1/exports/estimate']) {
        const reply = await free(path, { json: { format: 'csv' } });
        expect(reply.status).toBe(403);
        expect(await bodyOf(reply)).toMatchObject({ error: { type: 'plan_feature_unavailable' } });
      }
      expect((await free('/v1/exports')).status).toBe(200);
    });

    it('answers 401 without a key and 400 for a management key that names no tenant', async () => {
      expect((await fetch(`${app.url}/v1/exports`)).status).toBe(401);
      expect((await app.admin('/v1/exports')).status).toBe(400);
      const acting = await app.admin('/v1/exports', { headers: { 'logferry-tenant': tenantId } });
      expect(acting.status).toBe(200);
    });

    it('answers 405 with what is allowed', async () => {
      const reply = await call('/v1/exports', { method: 'PUT' });
      expect([reply.status, reply.headers.get('allow')]).toEqual([405, expect.stringContaining('POST')]);
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOfDay } from '../../../core/exports/plan-limits.ts';
import { firstIdOf } from '../../../core/ids.ts';
import type { Plan } from '../../../core/tenants.ts';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

const limits = { unfinished_exports: 2, exported_rows_per_day: 1000, exported_bytes_per_day: null };

describe('Limits of the plan', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_PLAN_LIMITS: JSON.stringify({ pro: limits }), LOGFERRY_RATE_LIMIT: '1000' });
  });
  afterAll(() => app.close());

  const create = (call: Call, headers: Record<string, string> = {}) =>
    call('/v1/exports', { json: { format: 'csv' }, headers });
  const resourcesOf = async (call: Call) => (await bodyOf(call('/v1/limits'))).resources;
  /** Ends an export as a worker would, with so many rows and bytes in its file. */
  const complete = (id: string, rows: number) =>
    app.database.pool.query(
      `update exports set status = 'completed', rows = $2, bytes = $2, completed_at = now(), expires_at = now() + interval '1 day'
       where id = $1`,
      [id, rows],
    );

  /** An app with limits of its own, and a tenant of that plan. */
  async function withPlan(changes: object, plan: Plan = 'pro') {
    const other = await startApp({ LOGFERRY_PLAN_LIMITS: JSON.stringify(changes) });
    return { app: other, call: (await other.newTenant({ plan })).call };
  }

  it('refuse one unfinished export too many with 429, until one has ended', async () => {
    const { call } = await app.newTenant();
    const first = await bodyOf(create(call));
    expect((await create(call)).status).toBe(202);
    const refused = await create(call);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(await bodyOf(refused)).toMatchObject({
      limit: { name: 'unfinished_exports', limit: 2, used: 2 },
      error: { type: 'plan_limit_exceeded', message: expect.stringContaining('Wait for one to end') },
    });
    expect((await call(`/v1/exports/${first.id}/cancel`, { method: 'POST' })).status).toBe(202);
    expect((await create(call)).status).toBe(202);
  });

  it('let no two exports that come together both take the last one', async () => {
    const { call } = await app.newTenant();
    const replies = await Promise.all(Array.from({ length: 10 }, () => create(call)));
    expect(replies.map(({ status }) => status).sort()).toEqual([202, 202, ...Array(8).fill(429)]);
  });

  it('let no two processes both give the last one', async () => {
    const { call, key } = await app.newTenant();
    const { DATABASE_URL, LOGFERRY_SECRET_KEY } = app.deps.config as {
      DATABASE_URL: string;
      LOGFERRY_SECRET_KEY: string;
    };
    const settings = { DATABASE_URL, LOGFERRY_SECRET_KEY, LOGFERRY_PLAN_LIMITS: JSON.stringify({ pro: limits }) };
    const second = await startApp(settings);
    try {
      const replies = await Promise.all(
        Array.from({ length: 10 }, (_, i) => create(i % 2 ? call : second.caller(key))),
      );
      expect(replies.map(({ status }) => status).sort()).toEqual([202, 202, ...Array(8).fill(429)]);
      expect((await resourcesOf(call)).unfinished_exports).toMatchObject({ used: 2, remaining: 0 });
    } finally {
      await second.close();
    }
  });

  it('belong to one tenant', async () => {
    const { call } = await app.newTenant();
    const other = await app.newTenant();
    for (let i = 0; i < 2; i++) await create(call);
    expect((await create(call)).status).toBe(429);
    expect((await create(other.call)).status).toBe(202);
  });

  it('do not stand between a client and the export that it made already', async () => {
    const { call } = await app.newTenant();
    const again = { 'idempotency-key': 'again' };
    const first = await bodyOf(create(call, again));
    await create(call);
    const replayed = await create(call, again);
    expect(replayed.status).toBe(202);
    expect((await bodyOf(replayed)).id).toBe(first.id);
  });

  it('refuse exports for the rest of the day when its rows are used up, and not because of yesterday', async () => {
    const { call, tenant } = await app.newTenant();
    const { id } = await bodyOf(create(call));
    await complete(id, 1000);
    const refused = await create(call);
    expect(refused.status).toBe(429);
    const midnight = startOfDay(Date.now()) + 86_400_000;
    const retryAt = Date.now() + Number(refused.headers.get('retry-after')) * 1000;
    expect(Math.abs(retryAt - midnight)).toBeLessThan(5_000);
    const yesterday = firstIdOf(startOfDay(Date.now()) - 1);
    await app.database.pool.query('update exports set id = $1 where tenant_id = $2', [yesterday, tenant.id]);
    expect((await create(call)).status).toBe(202);
  });

  it.each(['exported_rows_per_day', 'exported_bytes_per_day'])(
    'refuse all that come together as soon as the %s are used up, also by an export that runs still',
    async (name) => {
      const { app: small, call } = await withPlan({ pro: { [name]: 1000 } });
      const { id } = await bodyOf(create(call));
      const write = (amount: number) =>
        small.database.pool.query(`update exports set status = 'running', progress = $2 where id = $1`, [
          id,
          JSON.stringify({ phase: 'writing', rows: amount, bytes: amount }),
        ]);
      await write(999);
      expect((await create(call)).status).toBe(202);
      await write(1000);
      const replies = await Promise.all(Array.from({ length: 5 }, () => create(call)));
      expect(replies.map(({ status }) => status)).toEqual(Array(5).fill(429));
      expect(await bodyOf(replies[0]!)).toMatchObject({ limit: { name, limit: 1000, used: 1000 } });
      await small.close();
    },
  );

  it('are none for a plan without exports, which is told apart: 403, whatever its amounts', async () => {
    const { app: generous, call } = await withPlan({ free: { unfinished_exports: 5 } }, 'free');
    const refused = await create(call);
    expect(refused.status).toBe(403);
    expect((await bodyOf(refused)).error.type).toBe('plan_feature_unavailable');
    expect((await resourcesOf(call)).unfinished_exports).toMatchObject({ limit: 5, used: 0 });
    await generous.close();
  });

  it('count what a running export has written, and nothing of one that failed', async () => {
    const { call } = await app.newTenant();
    const [running, failed] = [await bodyOf(create(call)), await bodyOf(create(call))];
    const update = 'update exports set status = $2::text::export_status, progress = $3 where id = $1';
    const progress = JSON.stringify({ phase: 'writing', rows: 400, bytes: 7000 });
    await app.database.pool.query(update, [running.id, 'running', progress]);
    await app.database.pool.query(update, [failed.id, 'failed', progress]);
    expect(await resourcesOf(call)).toMatchObject({
      unfinished_exports: { used: 1 },
      exported_rows_per_day: { used: 400 },
      exported_bytes_per_day: { used: 7000 },
    });
  });

  it('are in no way of a tenant who is far from them', async () => {
    const open = await startApp();
    const { call } = await open.newTenant();
    const replies = await Promise.all(Array.from({ length: 60 }, () => create(call)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
    await open.close();
  });

  describe('GET /v1/limits', () => {
    it('shows of each how much there is, is used and is left, and when it begins anew', async () => {
      const { call } = await app.newTenant();
      const { id } = await bodyOf(create(call));
      await complete(id, 300);
      await create(call);
      const reply = await call('/v1/limits');
      expect(reply.status).toBe(200);
      const body = await bodyOf(reply);
      const midnight = new Date(startOfDay(Date.now()) + 86_400_000);
      const daily = {
        reset: midnight.getTime() / 1000,
        reset_at: midnight.toISOString().replace('Z', '000Z'),
      };
      expect(body).toEqual({
        plan: 'pro',
        resources: {
          requests_per_minute: {
            limit: 1000,
            used: 3,
            remaining: 997,
            reset: Number(reply.headers.get('x-ratelimit-reset')),
            reset_at: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
          },
          unfinished_exports: { limit: 2, used: 1, remaining: 1, reset: null, reset_at: null },
          exported_rows_per_day: { limit: 1000, used: 300, remaining: 700, ...daily },
          exported_bytes_per_day: { limit: null, used: 300, remaining: null, ...daily },
          stored_bytes: { limit: null, used: 300, remaining: null, reset: null, reset_at: null },
          api_keys: { limit: 100, used: 1, remaining: 99, reset: null, reset_at: null },
          webhooks: { limit: 50, used: 0, remaining: 50, reset: null, reset_at: null },
        },
        rate: body.resources.requests_per_minute,
      });
    });

    it('needs a key but no scope, and shows a plan without exports as it is', async () => {
      expect((await fetch(`${app.url}/v1/limits`)).status).toBe(401);
      const { call } = await app.newTenant({ plan: 'free', scopes: ['verify'] });
      expect(await bodyOf(call('/v1/limits'))).toMatchObject({
        plan: 'free',
        resources: { unfinished_exports: { limit: 0, used: 0, remaining: 0 } },
      });
    });

    it('shows the management the tenant that it names, or its requests alone', async () => {
      const { tenant } = await app.newTenant();
      const named = await app.admin('/v1/limits', { headers: { 'Logferry-Tenant': tenant.id } });
      expect(Object.keys((await bodyOf(named)).resources)).toHaveLength(7);
      const alone = await bodyOf(app.admin('/v1/limits'));
      expect(alone.plan).toBeNull();
      expect(Object.keys(alone.resources)).toEqual(['requests_per_minute']);
    });

    it('shows that there is no rate limit', async () => {
      const open = await startApp();
      const none = { limit: null, used: 0, remaining: null, reset: null, reset_at: null };
      expect((await bodyOf(open.admin('/v1/limits'))).rate).toEqual(none);
      await open.close();
    });
  });
});

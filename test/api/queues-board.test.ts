import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../core/ids.ts';
import { makeLog } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';
import { openQueue } from '../../prisma/open-queue.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { giveBackRedis, redisService } from '../services/services.ts';
import { type App, bodyOf, startApp } from './start-app.ts';

const redis = await redisService();
const log = makeLog('silent');
const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

describe('The board', () => {
  let testDatabase: TestDatabase;
  let queue: Queue;
  let app: App;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    queue = openQueue(testDatabase.url, log);
    app = await startApp({}, { queue });
  });
  afterAll(async () => {
    await app.close();
    await queue.close();
    await testDatabase.drop();
  });
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${app.url}/admin/queues${path}`, { headers });

  it('asks a browser for a password: 401 with the challenge Basic, whatever is wrong with the key', async () => {
    const wrong = [
      {},
      { authorization: 'Bearer nonsense' },
      basic('x', 'nonsense'),
      basic('x', ''),
      { authorization: 'Basic ???' },
    ];
    for (const headers of wrong) {
      const reply = await get('/', headers as Record<string, string>);
      expect(reply.status).toBe(401);
      expect(reply.headers.get('www-authenticate')).toBe('Basic realm="Logferry queues", charset="UTF-8"');
      expect((await bodyOf(reply)).error.type).toBe('authentication_error');
    }
    expect((await get('/static/favicon-32x32.png')).status).toBe(401);
    expect((await get('/api/queues')).status).toBe(401);
  });

  it("answers 403 to a tenant's key, in either form", async () => {
    const { key } = await app.newTenant();
    for (const headers of [{ authorization: `Bearer ${key}` }, basic('admin', key)]) {
      const reply = await get('/api/queues', headers);
      expect(reply.status).toBe(403);
      expect((await bodyOf(reply)).error.type).toBe('scope_error');
    }
  });

  it('shows its page to a management key, as Bearer token and as password, also to a stored one', async () => {
    const { key } = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'operator' } }));
    for (const headers of [
      { authorization: `Bearer ${app.adminKey}` },
      basic('anybody', app.adminKey),
      basic('', key),
    ]) {
      const reply = await get('', headers);
      expect(reply.status).toBe(200);
      expect(reply.headers.get('content-type')).toMatch(/^text\/html/);
      expect(await reply.text()).toContain('<title>Logferry queues</title>');
    }
  });

  it('loads nothing from elsewhere: all that its page names is served here, under a policy that allows no more', async () => {
    const headers = basic('admin', app.adminKey);
    const reply = await get('/', headers);
    const html = await reply.text();
    expect(html).not.toMatch(/https?:\/\//);
    const policy = reply.headers.get('content-security-policy')!;
    expect(policy).toMatch(/default-src 'none'; script-src 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
    expect(reply.headers.get('cache-control')).toBe('private, no-store');
    const base = new URL(/<base href="([^"]+)"/.exec(html)![1]!, app.url);
    const named = [...html.matchAll(/<(?:script|link)[^>]+(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(4);
    for (const path of named) expect((await fetch(new URL(path, base), { headers })).status, path).toBe(200);
  });

  it('changes nothing, by whatever method', async () => {
    const headers = basic('admin', app.adminKey);
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      const reply = await fetch(`${app.url}/admin/queues/api/queues/exports/pause`, { method, headers });
      expect(reply.status).toBe(405);
      expect(reply.headers.get('allow')).toBe('GET, HEAD');
    }
    expect(await queue.bullQueues[0]!.isPaused()).toBe(false);
    const { queues } = await bodyOf(get('/api/queues', headers));
    expect(queues.map((each: { readOnlyMode: boolean }) => each.readOnlyMode)).toEqual([true, true]);
  });

  it('counts guesses together with those at /v1', async () => {
    const limited = await startApp({ LOGFERRY_RATE_LIMIT: '6' }, { queue });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) {
      statuses.push((await fetch(`${limited.url}/admin/queues`, { headers: basic('x', `guess-${i}`) })).status);
      statuses.push((await limited.caller(`guess-${i}`)('/v1/tenants')).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    expect((await fetch(`${limited.url}/admin/queues`, { headers: basic('x', limited.adminKey) })).status).toBe(200);
    await limited.close();
  });
});

describe.each([
  ['PostgreSQL', async () => (await createTestDatabase()).url],
  ...('missing' in redis ? [] : [['Redis', async () => redis.url] as const]),
] as const)('The board of a queue on %s', (_name, makeUrl) => {
  it('shows what waits in it, job by job', async () => {
    const url = await makeUrl();
    const queue = openQueue(url, log);
    const app = await startApp({}, { queue });
    const headers = basic('admin', app.adminKey);
    const get = (path: string) => bodyOf(fetch(`${app.url}/admin/queues/api${path}`, { headers }));
    const [exportId, deliveryId] = [newId(), newId()];
    await queue.enqueueExport(exportId);
    await queue.enqueueDelivery(deliveryId, { delayMs: 60_000 });
    const { queues } = await get('/queues?activeQueue=exports&status=latest&page=1&jobsPerPage=10');
    expect(queues).toMatchObject([
      { name: 'exports', counts: { waiting: 1 }, jobs: [{ id: exportId, data: { id: exportId } }] },
      { name: 'deliveries', counts: { delayed: 1 } },
    ]);
    expect(await get(`/queues/exports/${exportId}`)).toMatchObject({
      status: 'waiting',
      job: { data: { id: exportId } },
    });
    const stats = await get('/redis/stats');
    expect(stats.version).toMatch(/^\d+\./);
    await app.close();
    await queue.close();
    if (url.startsWith('redis')) await giveBackRedis(url);
  });
});

describe('The board of a Redis that is away', () => {
  it.each([
    ['refuses connections', undefined],
    ['takes connections and says nothing', () => {}],
  ])('answers 503 within seconds when it %s, while the rest of the API works', async (_how, listener) => {
    const silent = createServer(listener);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    if (!listener) silent.close();
    const queue = openQueue(`redis://127.0.0.1:${port}`, log);
    const app = await startApp({}, { queue });
    const start = performance.now();
    const headers = basic('admin', app.adminKey);
    const reply = await fetch(`${app.url}/admin/queues/api/queues`, { headers });
    expect(reply.status).toBe(503);
    expect((await bodyOf(reply)).detail).toContain('The queue does not answer');
    expect(performance.now() - start).toBeLessThan(8_000);
    expect((await fetch(`${app.url}/admin/queues`, { headers })).status).toBe(200);
    expect((await app.admin('/v1/tenants')).status).toBe(200);
    await app.close();
    await queue.close();
    silent.close();
  });
});

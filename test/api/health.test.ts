import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readinessChecks } from '../../core/health.ts';
import { makeLog } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';
import { openQueue } from '../../prisma/open-queue.ts';
import { type RedisServer, startRedisServer } from '../services/redis-server.ts';
import { type App, bodyOf, startApp } from './start-app.ts';

describe('Health', () => {
  let app: App;
  afterEach(() => app.close());

  it('is alive, and ready when all that it needs is there', async () => {
    app = await startApp();
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
    const ready = await fetch(`${app.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await bodyOf(ready)).toEqual({ status: 'ok', checks: { database: 'ok' }, not_ready: [], warnings: [] });
  });

  it('names what is not ready, without the reason, and waits 2 s at most for what hangs', async () => {
    const checks = [
      { name: 'database', check: async () => {} },
      { name: 'storage', check: () => Promise.reject(new Error('secret reason')) },
      { name: 'queue', check: () => new Promise(() => {}) },
      {
        name: 'thrown',
        check: () => {
          throw new Error('at once');
        },
      },
    ];
    app = await startApp({}, { checks });
    const start = performance.now();
    const reply = await fetch(`${app.url}/readyz`);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('5');
    expect(await bodyOf(reply)).toEqual({
      status: 'unavailable',
      checks: { database: 'ok', storage: 'not ready', queue: 'not ready', thrown: 'not ready' },
      not_ready: ['storage', 'queue', 'thrown'],
      warnings: [],
    });
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
  });
});

describe('An API whose Redis', () => {
  const ready = async (url: string) => {
    const reply = await fetch(`${url}/readyz`);
    return { status: reply.status, body: await reply.json() };
  };
  let redis: RedisServer;
  let queue: Queue;
  let app: App;
  beforeAll(async () => {
    redis = await startRedisServer();
    queue = openQueue(redis.url, makeLog('silent'));
    const parts = {
      database: { pool: { query: async () => {} } },
      schema: { check: async () => {} },
      store: { check: async () => {} },
      queue,
      logs: { check: async () => {} },
    };
    app = await startApp({}, { queue, checks: readinessChecks(parts, 'api') });
  });
  afterAll(async () => {
    await app.close();
    await queue.close();
    await redis.stop();
  });

  it('is well is ready', async () => {
    await expect.poll(() => ready(app.url)).toMatchObject({ status: 200, body: { warnings: [] } });
  });

  it('throws jobs away when it is full is not ready', async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const expected = { status: 503, body: { checks: { queue: 'not ready' }, not_ready: ['queue'] } };
    await expect.poll(() => ready(app.url), { timeout: 20_000 }).toMatchObject(expected);
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await expect.poll(() => ready(app.url), { timeout: 20_000 }).toMatchObject({ status: 200 });
  });

  it('is away goes on serving, and says so', async () => {
    await redis.kill();
    const expected = { status: 200, body: { status: 'ok', checks: { queue: 'away' }, warnings: ['queue'] } };
    await expect.poll(() => ready(app.url), { timeout: 20_000 }).toMatchObject(expected);
    await redis.restart();
    await expect.poll(() => ready(app.url), { timeout: 20_000 }).toMatchObject({ status: 200, body: { warnings: [] } });
  });
});

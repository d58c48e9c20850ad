import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import { openRedisCounter, type RedisCounter } from '../../../core/queue/redis-counter.ts';
import { type RedisServer, startRedisServer } from '../../services/redis-server.ts';
import { redisService } from '../../services/services.ts';
import { heardLog } from '../heard-log.ts';
import { type App, startApp } from '../start-app.ts';

const redis = await redisService();
const silent = makeLog('silent');

/** The numbers of replies by status. */
function counted(replies: Response[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe.skipIf('missing' in redis)('Rate limits that are counted together', () => {
  const limit = 40;
  let server: RedisServer;
  let counters: RedisCounter[];
  beforeEach(() => {
    counters = [];
  });
  afterEach(() => {
    for (const each of counters) each.close();
  });
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  async function openCounter(url = server.url, log = silent): Promise<RedisCounter> {
    const counter = openRedisCounter(url, log);
    counters.push(counter);
    await vi.waitFor(() => counter.send('PING'), { timeout: 10_000 });
    return counter;
  }
  const startOne = async (counter: RedisCounter, more: Partial<Parameters<typeof startApp>[1]> = {}): Promise<App> =>
    startApp({ LOGFERRY_RATE_LIMIT: String(limit) }, { counter, ...more });

  it('hold for four processes in sum', async () => {
    const first = await startOne(await openCounter());
    const others = await Promise.all(
      [1, 2, 3].map(async () => startOne(await openCounter(), { database: first.database })),
    );
    const { key } = await first.newTenant();
    const apps = [first, ...others];
    const asked = Array.from({ length: limit * 2 }, (_, i) => apps[i % 4]!.caller(key)('/v1/webhooks'));
    const replies = await Promise.all(asked);
    expect(counted(replies)).toEqual({ 200: limit, 429: limit });
    for (const reply of replies.filter(({ status }) => status === 429)) {
      expect(Number(reply.headers.get('retry-after'))).toSatisfy((s: number) => s >= 1 && s <= 60);
      expect(reply.headers.get('x-ratelimit-remaining')).toBe('0');
    }
    await Promise.all(others.map((app) => app.close()));
    await first.close();
  });

  it('hold on a cluster', async () => {
    const cluster = await startRedisServer({ cluster: true });
    const app = await startOne(await openCounter(cluster.url));
    const { call } = await app.newTenant();
    const replies = await Promise.all(Array.from({ length: limit + 10 }, () => call('/v1/webhooks')));
    expect(counted(replies)).toEqual({ 200: limit, 429: 10 });
    expect(await cluster.command('DBSIZE')).toBeGreaterThan(0);
    await app.close();
    await cluster.stop();
  });

  it('leave keys in Redis that end by themselves, and name nobody', async () => {
    const app = await startOne(await openCounter());
    const { call } = await app.newTenant();
    await call('/v1/webhooks');
    const names = (await server.command('KEYS', '{logferry}:rate:*')) as string[];
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      expect(name).toMatch(/^\{logferry\}:rate:((key|tenant) [0-9a-f-]{36}|configured key|address [0-9a-f.:/]+)$/);
      expect(await server.command('PTTL', name)).toSatisfy((ms: number) => ms > 0 && ms <= 60_000);
    }
    await app.close();
  });

  it.each([
    ['is gone', async (own: RedisServer) => own.kill(), async (own: RedisServer) => own.restart()],
    ['hangs', async (own: RedisServer) => own.freeze(), async (own: RedisServer) => own.thaw()],
    [
      'is full',
      (own: RedisServer) => own.command('CONFIG', 'SET', 'maxmemory', '1'),
      (own: RedisServer) => own.command('CONFIG', 'SET', 'maxmemory', '0'),
    ],
  ])('are counted by each process while Redis %s, and together again after that', async (_how, spoil, remedy) => {
    const own = await startRedisServer();
    const { log, entry, entries } = heardLog();
    const app = await startApp(
      { LOGFERRY_RATE_LIMIT: String(limit) },
      { counter: await openCounter(own.url, log), log },
    );
    const { call } = await app.newTenant();
    expect((await call('/v1/webhooks')).headers.get('x-ratelimit-remaining')).toBe(String(limit - 1));
    await spoil(own);
    const started = performance.now();
    const replies = [];
    for (let i = 0; i < limit + 5; i++) replies.push(await call('/v1/webhooks'));
    // Nobody waits for Redis, but for whoever finds out.
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(counted(replies)).toEqual({ 200: limit, 429: 5 });
    await entry(({ msg }) => msg.startsWith('rate limits are counted by each process'));
    await remedy(own);
    await expect
      .poll(
        async () => {
          await call('/v1/webhooks');
          return entries.some(({ msg }) => msg === 'rate limits are counted together again');
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    const { call: fresh } = await app.newTenant();
    expect((await fresh('/v1/webhooks')).headers.get('x-ratelimit-remaining')).toBe(String(limit - 1));
    expect(await own.command('KEYS', '*')).not.toEqual([]);
    await app.close();
    await own.stop();
  });

  it('begin to be counted by each process when Redis was never there', async () => {
    const counter = openRedisCounter('redis://127.0.0.1:1', silent);
    counters.push(counter);
    const app = await startOne(counter);
    const { call } = await app.newTenant();
    const replies = await Promise.all(Array.from({ length: limit + 5 }, () => call('/v1/webhooks')));
    expect(counted(replies)).toEqual({ 200: limit, 429: 5 });
    await app.close();
  });
});

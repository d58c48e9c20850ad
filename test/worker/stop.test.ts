import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../local/postgres/embedded-postgres.ts';
import { ensureDatabase, migrate, migrateQueue } from '../../prisma/migrate.ts';
import { type FreezableProxy, startFreezableProxy } from '../freezable-proxy.ts';
import { type RedisServer, startRedisServer } from '../services/redis-server.ts';
import { redisService } from '../services/services.ts';
import { startStoppable, stopProcess } from './stop-fixture.ts';

const redisThere = await redisService();

/** Ten seconds are what a process has until Docker, and many a supervisor, kills it. */
const inTime = { code: 0, tookMs: expect.toSatisfy((ms: number) => ms < 10_000) };

describe('A worker that is told to stop', { timeout: 60_000 }, () => {
  let stoppable: Awaited<ReturnType<typeof startStoppable>>;
  let proxy: FreezableProxy;
  let redis: RedisServer;
  beforeAll(async () => {
    if (!('missing' in redisThere)) redis = await startRedisServer();
    stoppable = await startStoppable();
    proxy = await startFreezableProxy(stoppable.databaseUrl);
  });
  afterEach(() => stoppable.killProcesses());
  afterAll(async () => {
    await stoppable.close();
    await proxy.close();
    await redis?.stop();
  });

  describe.skipIf('missing' in redisThere)('with its queue in Redis', () => {
    it.each([
      { how: 'answers', disturb: async () => {}, remedy: async () => {} },
      { how: 'hangs', disturb: async () => redis.freeze(), remedy: async () => redis.thaw() },
      { how: 'is gone', disturb: () => redis.kill(), remedy: () => redis.restart() },
    ])('hands its exports back and ends with 0 when Redis $how', async ({ disturb, remedy }) => {
      const worker = await stoppable.startProcess({ QUEUE_URL: redis.url });
      const id = await stoppable.heldExport();
      await disturb();
      expect(await stopProcess(worker, stoppable.runs.release)).toEqual(inTime);
      expect(await stoppable.statusOf(id)).toBe('queued');
      await remedy();
      await stoppable.finish(id, { QUEUE_URL: redis.url });
    });

    it('ends with 0 when Redis was never there', async () => {
      await redis.kill();
      const worker = await stoppable.startProcess({ QUEUE_URL: redis.url });
      expect(await stopProcess(worker)).toEqual(inTime);
      await redis.restart();
    });
  });

  it('ends with 0 while its database hangs, says that it had work in hand, and another takes the work over', async () => {
    const worker = await stoppable.startProcess({ DATABASE_URL: proxy.url, QUEUE_URL: proxy.url });
    const id = await stoppable.heldExport();
    proxy.freeze();
    expect(await stopProcess(worker)).toEqual(inTime);
    expect(worker.entries.map(({ msg }) => msg)).toContain('stopped before all jobs were handled');
    await stoppable.runs.breakOff();
    await stoppable.finish(id);
  });
});

describe('A worker whose PostgreSQL was killed', { timeout: 60_000 }, () => {
  it('ends with 0 when it is told to stop, and says what it could not hand back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'logferry-stop-'));
    const postgres = await startEmbeddedPostgres({ directory, fast: true, temporary: true });
    const url = postgres.url('logferry');
    await ensureDatabase(url);
    await migrate(url);
    await migrateQueue(url);
    const stoppable = await startStoppable({ DATABASE_URL: url });
    const worker = await stoppable.startProcess();
    await stoppable.heldExport();
    const postmaster = (await readFile(join(directory, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[0];
    process.kill(Number(postmaster), 'SIGKILL');
    expect(await stopProcess(worker)).toEqual(inTime);
    expect(worker.entries.map(({ msg }) => msg)).toContain('a job could not be handled; it is given out again');
    await stoppable.close();
    await postgres.stop();
  });
});

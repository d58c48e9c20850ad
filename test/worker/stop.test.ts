import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../local/embedded-postgres.ts';
import { ensureDatabase, migrate, migrateQueue } from '../../prisma/migrate.ts';
import { type App, bodyOf, type Call, startApp } from '../api/start-app.ts';
import { type FreezableProxy, startFreezableProxy } from '../freezable-proxy.ts';
import { type RedisServer, startRedisServer } from '../services/redis-server.ts';
import { redisService } from '../services/services.ts';
import { addManyEvents, endedExport, fetchFile, queueExport } from './export-fixture.ts';
import { type HeldRuns, holdRuns } from './hold-runs.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

const redisThere = await redisService();

/** What a process has until Docker, and many a supervisor, kills it. */
const deadlineMs = 10_000;

describe('A worker that is told to stop', { timeout: 60_000 }, () => {
  let app: App;
  let call: Call;
  let runs: HeldRuns;
  let proxy: FreezableProxy;
  let redis: RedisServer;
  const processes: WorkerProcess[] = [];
  beforeAll(async () => {
    if (!('missing' in redisThere)) redis = await startRedisServer();
    app = await startApp();
    const made = await app.newTenant();
    call = made.call;
    await addManyEvents(app.database, made.tenant.id, { count: 8_000, noiseBytes: 2000 });
    runs = await holdRuns(app.deps.config.DATABASE_URL!);
    proxy = await startFreezableProxy(app.deps.config.DATABASE_URL!);
  });
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.ended('SIGKILL');
  });
  afterAll(async () => {
    await runs.close();
    await proxy.close();
    await app.close();
    await redis?.stop();
  });

  const startProcess = async (environment: Record<string, string> = {}) => {
    const worker = startWorkerProcess(app as Parameters<typeof startWorkerProcess>[0], environment);
    processes.push(worker);
    await worker.logged('worker runs');
    return worker;
  };
  /** An export that the worker has begun, and at which it is held until `release`. */
  const heldExport = async () => {
    const id = await queueExport(call, { format: 'ndjson', filter: { through_sequence: 8_000 } });
    await runs.at([{ exportId: id, part: 2 }]);
    return id;
  };
  const statusOf = async (id: string) => (await bodyOf(call(`/v1/exports/${id}`))).status;
  const stopped = async (worker: WorkerProcess, meanwhile = async () => {}) => {
    const begun = performance.now();
    const ended = worker.ended('SIGTERM');
    await worker.logged('worker stops');
    await meanwhile();
    return { code: await ended, tookMs: performance.now() - begun };
  };
  const inTime = { code: 0, tookMs: expect.toSatisfy((ms: number) => ms < deadlineMs) };
  /** The next worker takes it over, and nothing is wrong with it. */
  const finishes = async (id: string, environment: Record<string, string> = {}) => {
    await startProcess(environment);
    await fetchFile(await endedExport(call, id));
  };

  describe.skipIf('missing' in redisThere)('with its queue in Redis', () => {
    it('hands its exports back and ends with 0', async () => {
      const worker = await startProcess({ QUEUE_URL: redis.url });
      const id = await heldExport();
      await runs.reached();
      expect(await stopped(worker, runs.release)).toEqual(inTime);
      expect(await statusOf(id)).toBe('queued');
      await finishes(id, { QUEUE_URL: redis.url });
    });

    it('does so while Redis hangs', async () => {
      const worker = await startProcess({ QUEUE_URL: redis.url });
      const id = await heldExport();
      await runs.reached();
      redis.freeze();
      expect(await stopped(worker, runs.release)).toEqual(inTime);
      expect(await statusOf(id)).toBe('queued');
      redis.thaw();
      await finishes(id, { QUEUE_URL: redis.url });
    });

    it('does so when Redis is gone', async () => {
      const worker = await startProcess({ QUEUE_URL: redis.url });
      const id = await heldExport();
      await runs.reached();
      await redis.kill();
      expect(await stopped(worker, runs.release)).toEqual(inTime);
      expect(await statusOf(id)).toBe('queued');
      await redis.restart();
      await finishes(id, { QUEUE_URL: redis.url });
    });

    it('ends with 0 when Redis was never there', async () => {
      await redis.kill();
      const worker = await startProcess({ QUEUE_URL: redis.url });
      expect(await stopped(worker)).toEqual(inTime);
      await redis.restart();
    });
  });

  it('ends with 0 while its database hangs, says that it had work in hand, and another takes the work over', async () => {
    const worker = await startProcess({ DATABASE_URL: proxy.url });
    const id = await heldExport();
    await runs.reached();
    proxy.freeze();
    expect(await stopped(worker)).toEqual(inTime);
    expect(worker.entries.map(({ msg }) => msg)).toContain('stopped before all rings were handled');
    await runs.breakOff();
    await finishes(id);
  });
});

describe('A worker whose PostgreSQL was killed', { timeout: 60_000 }, () => {
  it('ends with 0 within ten seconds of a SIGTERM, and says what it could not hand back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'logferry-stop-'));
    const postgres = await startEmbeddedPostgres({ directory, fast: true, temporary: true });
    const url = postgres.url('logferry');
    await ensureDatabase(url);
    await migrate(url);
    await migrateQueue(url);
    const app = await startApp({ DATABASE_URL: url });
    const { tenant, call } = await app.newTenant();
    await addManyEvents(app.database, tenant.id, { count: 4_000, noiseBytes: 2000 });
    const runs = await holdRuns(url);
    const worker = startWorkerProcess(app as Parameters<typeof startWorkerProcess>[0]);
    await worker.logged('worker runs');
    const id = await queueExport(call, { format: 'ndjson' });
    await runs.at([{ exportId: id, part: 2 }]);
    await runs.reached();
    process.kill(
      Number((await readFile(join(directory, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[0]),
      'SIGKILL',
    );
    const begun = performance.now();
    expect(await worker.ended('SIGTERM')).toBe(0);
    expect(performance.now() - begun).toBeLessThan(deadlineMs);
    expect(worker.entries.map(({ msg }) => msg)).toContain('a ring could not be handled; it is given out again');
    await app.close().catch(() => {});
    await postgres.stop();
  });
});

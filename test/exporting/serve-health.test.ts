import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../local/free-port.ts';
import { logsCheck } from '../../prisma/log/contradictions.ts';
import { serveHealth } from '../../worker/serve-health.ts';
import { readMetrics, valueIn } from '../core/read-metrics.ts';
import { startRedisServer } from '../services/redis-server.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';
import { startWorkerProcess, type WorkerProcess } from '../worker/worker-process.ts';

describe('The health of a worker', () => {
  let app: Exporting;
  const servers: { stop(): Promise<void> }[] = [];
  beforeAll(async () => {
    app = await startExporting({}, { worker: false });
  });
  afterEach(async () => {
    for (const each of servers.splice(0)) await each.stop();
  });
  afterAll(() => app.close());

  const healthDeps = () => ({ ...app.deps, logs: logsCheck(app.database.pool) });

  async function serve(changes: Partial<Exporting['deps']> = {}, silentMs = () => 0) {
    const config = { ...app.deps.config, WORKER_PORT: 0 };
    const server = (await serveHealth({ ...healthDeps(), ...changes, config }, silentMs))!;
    servers.push(server);
    return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  }

  it('is served at no port unless one is set', async () => {
    expect(await serveHealth(healthDeps(), () => 0)).toBeUndefined();
  });

  it('tells that it lives and is ready, names what is not there, and gives its metrics', async () => {
    const get = await serve();
    expect((await get('/livez')).status).toBe(200);
    const ready = await get('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      status: 'ok',
      checks: { database: 'ok', schema: 'ok', storage: 'ok', queue: 'ok', log: 'ok' },
      not_ready: [],
      warnings: [],
    });
    const reply = await get('/metrics');
    expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(valueIn(readMetrics(await reply.text()), 'logferry_export_runs_running')).toBe(0);

    const check = () => Promise.reject(new Error('secret reason'));
    const without = await serve({ store: { ...app.deps.store, check } });
    const notReady = await without('/readyz');
    expect(notReady.status).toBe(503);
    expect(notReady.headers.get('retry-after')).toBe('5');
    const text = await notReady.text();
    expect(JSON.parse(text)).toMatchObject({ status: 'unavailable', not_ready: ['storage'] });
    expect(text).not.toContain('secret');
    expect((await without('/livez')).status).toBe(200);
  });

  it('is stuck after half an hour without a sign of life, and not before', async () => {
    let silentMs = 1_700_000;
    const get = await serve({}, () => silentMs);
    expect((await get('/livez')).status).toBe(200);
    silentMs = 1_900_000;
    const stuck = await get('/livez');
    expect(stuck.status).toBe(503);
    expect(await stuck.json()).toEqual({ status: 'stuck', silent_seconds: 1900 });
  });

  it('answers 404 for other paths, 405 for other methods, and nothing to HEAD but the head', async () => {
    const get = await serve();
    for (const path of ['/', '/v1/exports', '/constructor']) expect((await get(path)).status).toBe(404);
    const refused = await get('/readyz', { method: 'POST' });
    expect(refused.status).toBe(405);
    expect(refused.headers.get('allow')).toBe('GET, HEAD');
    const head = await get('/livez?probe=1', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('says which port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const config = { ...app.deps.config, WORKER_PORT: port };
    await expect(serveHealth({ ...healthDeps(), config }, () => 0)).rejects.toThrow(
      `Port ${port} of 127.0.0.1 is taken`,
    );
    taken.close();
  });
});

describe('A worker process with WORKER_PORT', () => {
  let app: Exporting;
  let worker: WorkerProcess | undefined;
  afterEach(async () => {
    await worker?.ended('SIGKILL');
    worker = undefined;
    await app.close();
  });

  async function start(environment: Record<string, string> = {}) {
    const port = await findFreePort();
    app = await startExporting({}, { worker: false });
    worker = startWorkerProcess(app, { WORKER_PORT: String(port), ...environment });
    await worker.logged('worker runs');
    return (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
  }

  it('serves what it has done, and no more once it has stopped', async () => {
    const get = await start();
    expect((await get('/readyz')).status).toBe(200);
    const { call } = await app.newTenant();
    const { view } = await exportFile(call, { format: 'csv' });
    const families = readMetrics(await (await get('/metrics')).text());
    expect(valueIn(families, 'logferry_exports_ended_total', { outcome: 'completed' })).toBe(1);
    expect(valueIn(families, 'logferry_exported_rows_total')).toBe(view.rows);
    expect(valueIn(families, 'logferry_database_up')).toBe(1);
    expect(valueIn(families, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(await worker!.ended('SIGTERM')).toBe(0);
    await expect(get('/livez')).rejects.toThrow();
  });

  it('answers nothing while it is stopped, and goes on answering after', async () => {
    const get = await start();
    worker!.signal('SIGSTOP');
    await expect(get('/livez')).rejects.toThrow();
    worker!.signal('SIGCONT');
    expect((await get('/livez')).status).toBe(200);
  });

  it('is not ready without its Redis, and lives', async () => {
    const redis = await startRedisServer();
    const get = await start({ QUEUE_URL: redis.url });
    await expect.poll(async () => (await get('/readyz')).status, { timeout: 10_000 }).toBe(200);
    await redis.kill();
    await expect.poll(async () => (await get('/readyz')).status, { timeout: 10_000 }).toBe(503);
    expect(await (await get('/readyz')).json()).toMatchObject({ not_ready: ['queue'], checks: { database: 'ok' } });
    expect((await get('/livez')).status).toBe(200);
    await redis.restart();
    await expect.poll(async () => (await get('/readyz')).status, { timeout: 20_000 }).toBe(200);
    await redis.stop();
  });
});

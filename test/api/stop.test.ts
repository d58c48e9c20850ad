import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FreezableProxy, startFreezableProxy } from '../freezable-proxy.ts';
import { type RedisServer, startRedisServer } from '../services/redis-server.ts';
import { redisService } from '../services/services.ts';
import { type ApiProcess, startApiProcess } from './api-process.ts';
import { type App, bodyOf, startApp } from './start-app.ts';

const redisThere = await redisService();

/** What a process has until Docker, and many a supervisor, kills it. */
const deadlineMs = 10_000;

describe('An API that is told to stop', { timeout: 60_000 }, () => {
  let app: App;
  let key: string;
  let proxy: FreezableProxy;
  let redis: RedisServer;
  const processes: ApiProcess[] = [];
  beforeAll(async () => {
    app = await startApp();
    key = (await app.newTenant()).key;
    proxy = await startFreezableProxy(app.deps.config.DATABASE_URL!);
    if (!('missing' in redisThere)) redis = await startRedisServer();
  });
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.ended('SIGKILL');
  });
  afterAll(async () => {
    await proxy.close();
    await app.close();
    await redis?.stop();
  });

  const startProcess = async (environment: Record<string, string> = {}) => {
    const api = await startApiProcess(app, environment);
    processes.push(api);
    const call = (path: string, init: RequestInit = {}) =>
      fetch(api.url + path, {
        ...init,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...init.headers },
      });
    return { ...api, call };
  };
  const newExport = { method: 'POST', body: JSON.stringify({ format: 'csv' }) };
  const stopped = async (api: ApiProcess, meanwhile = async () => {}) => {
    const begun = performance.now();
    const ended = api.ended('SIGTERM');
    await api.logged('API stops');
    await meanwhile();
    return { code: await ended, tookMs: performance.now() - begun };
  };
  const inTime = { code: 0, tookMs: expect.toSatisfy((ms: number) => ms < deadlineMs) };

  it('says so at /readyz first, and serves on for a moment, over connections that end with each reply', async () => {
    const api = await startProcess();
    expect((await api.call('/readyz')).status).toBe(200);
    const result = await stopped(api, async () => {
      // What was asked a moment ago is answered again for a second.
      await expect.poll(async () => (await api.call('/readyz')).status, { timeout: 1500 }).toBe(503);
      const reply = await api.call('/v1/exports', newExport);
      expect(reply.status).toBe(202);
      expect(reply.headers.get('connection')).toBe('close');
    });
    expect(result).toEqual(inTime);
    expect(result.tookMs).toBeLessThan(5000);
    await expect(api.call('/livez')).rejects.toThrow();
  });

  it('keeps idle connections for longer than load balancers do, or as long as it is told', async () => {
    const usual = await startProcess();
    expect((await usual.call('/livez')).headers.get('keep-alive')).toBe('timeout=620');
    const short = await startProcess({ LOGFERRY_KEEP_ALIVE_SECONDS: '1' });
    const agent = new Agent({ keepAlive: true });
    const reply = await new Promise<IncomingMessage>((resolve, reject) =>
      request(`${short.url}/livez`, { agent }, resolve).on('error', reject).end(),
    );
    const { socket } = reply;
    const closed = once(socket, 'close');
    await text(reply);
    await closed;
    agent.destroy();
  });

  it('ends a reply that waits for an export and a stream of its progress, in order', async () => {
    const api = await startProcess();
    const { id } = await bodyOf(api.call('/v1/exports', newExport));
    const waiting = api.call('/v1/exports', { ...newExport, headers: { prefer: 'wait=30' } });
    const stream = await api.call(`/v1/exports/${id}/events`);
    const result = await stopped(api, async () => {
      expect(await bodyOf(waiting)).toMatchObject({ status: 'queued' });
      expect((await stream.text()).trimEnd().split('\n\n').at(-1)).toMatch(
        /^id: queued\nevent: progress\nretry: 2000\ndata: \{.*\}$/,
      );
    });
    expect(result).toEqual(inTime);
    expect(result.tookMs).toBeLessThan(5000);
  });

  it('lets a request under way end', async () => {
    const api = await startProcess();
    const upload = await openUpload(api, key);
    upload.write('{"action":"user.login"}\n');
    const result = await stopped(api, async () => {
      await expect
        .poll(
          () =>
            api.call('/livez').then(
              ({ ok }) => ok,
              () => 'refused',
            ),
          { timeout: 5000 },
        )
        .toBe('refused');
      upload.end('{"action":"user.logout"}\n');
      const [reply] = await once(upload, 'response');
      expect(reply.statusCode).toBe(201);
      expect(JSON.parse(await text(reply))).toEqual({ data: { accepted: 2 } });
    });
    expect(result).toEqual(inTime);
  });

  it('cuts what does not end by itself', async () => {
    const api = await startProcess();
    const upload = await openUpload(api, key);
    const cut = once(upload, 'error');
    upload.write('{"action":"user.login"}\n');
    expect(await stopped(api)).toEqual(inTime);
    expect((await cut)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('ends in time while its database hangs under a request', async () => {
    const api = await startProcess({ DATABASE_URL: proxy.url });
    expect((await api.call('/v1/exports')).status).toBe(200);
    proxy.freeze();
    const hanging = api.call('/v1/exports').catch(() => 'cut');
    expect(await stopped(api)).toEqual(inTime);
    expect(await hanging).toBe('cut');
    proxy.thaw();
  });

  describe.skipIf('missing' in redisThere)('with its queue in Redis', () => {
    it.each([
      { how: 'answers', disturb: async () => {}, remedy: async () => {} },
      { how: 'hangs', disturb: async () => redis.freeze(), remedy: async () => redis.thaw() },
      { how: 'is gone', disturb: () => redis.kill(), remedy: () => redis.restart() },
    ])('ends in time when Redis $how', async ({ disturb, remedy }) => {
      const api = await startProcess({ QUEUE_URL: redis.url });
      expect((await api.call('/v1/exports', newExport)).status).toBe(202);
      await disturb();
      expect((await api.call('/v1/exports', newExport)).status).toBe(202);
      expect(await stopped(api)).toEqual(inTime);
      await remedy();
    });
  });
});

/** A request that the API has begun to read, and whose body comes as the test writes it. */
async function openUpload({ url }: ApiProcess, key: string) {
  const upload = request(`${url}/v1/events/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson', expect: '100-continue' },
  });
  upload.on('error', () => {});
  upload.flushHeaders();
  await once(upload, 'continue');
  return upload;
}

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import type { Queue } from '../../../core/queue/queue.ts';
import { openQueue } from '../../../prisma/open-queue.ts';
import { startWorker } from '../../../worker/start-worker.ts';
import { type RedisServer, startRedisServer } from '../../services/redis-server.ts';
import { redisService } from '../../services/services.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../../webhook-receiver.ts';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

const redisThere = await redisService();

describe.skipIf('missing' in redisThere)('An API whose queue is in Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let queue: Queue;
  let app: App;
  let call: Call;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    redis = await startRedisServer();
    receiver = await startWebhookReceiver();
    queue = openQueue(redis.url, makeLog('silent'));
    app = await startApp({ LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { queue });
    call = (await app.newTenant()).call;
  });
  afterAll(async () => {
    await app.close();
    await queue.close();
    await receiver.close();
    await redis.stop();
  });

  const timed = async (reply: Promise<Response>) => {
    const begun = performance.now();
    const { status } = await reply;
    return { status, tookMs: performance.now() - begun };
  };
  const within2Seconds = expect.toSatisfy((ms: number) => ms < 2000);
  /** What a client sees: nothing. */
  const expectService = async (withCall = call) => {
    const newExport = () => timed(withCall('/v1/exports', { json: { format: 'csv' } }));
    expect(await newExport()).toEqual({ status: 202, tookMs: within2Seconds });
    const crowd = await Promise.all(Array.from({ length: 20 }, newExport));
    expect(crowd.filter(({ status, tookMs }) => status !== 202 || tookMs > 5000)).toEqual([]);
    expect(await timed(withCall('/v1/exports'))).toEqual({ status: 200, tookMs: within2Seconds });
    const webhook = await bodyOf(withCall('/v1/webhooks', { json: { url: receiver.url } }));
    const ping = await withCall(`/v1/webhooks/${webhook.id}/ping`, { method: 'POST' });
    expect(ping.status).toBe(202);
  };

  it('serves as ever while Redis hangs', async () => {
    redis.freeze();
    try {
      await expectService();
    } finally {
      redis.thaw();
    }
  });

  it('serves as ever while Redis is full', async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
    await expectService();
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
  });

  it('serves as ever when what listens there never answers', async () => {
    const silent: Server = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const deaf = openQueue(`redis://127.0.0.1:${(silent.address() as AddressInfo).port}`, makeLog('silent'));
    const other = await startApp({ LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { queue: deaf });
    await expectService((await other.newTenant()).call);
    await deaf.close();
    await other.close();
    silent.close();
  });

  it('serves as ever when Redis is gone, and what was asked for meanwhile is done once it is back', async () => {
    await redis.kill();
    await expectService();
    const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' } }));
    const worker = await startWorker({ ...app.deps, config: { ...app.deps.config, LOGFERRY_SWEEP_SECONDS: 1 } });
    await redis.restart();
    await expect
      .poll(async () => (await bodyOf(call(`/v1/exports/${id}`))).status, { timeout: 20_000 })
      .toBe('completed');
    // Pings are enqueued by the sweep as well.
    await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBeGreaterThan(0);
    await worker.stop();
  });
});

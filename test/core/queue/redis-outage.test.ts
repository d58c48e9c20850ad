import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import { type Consumer, type Queue, QueueAwayError } from '../../../core/queue/queue.ts';
import { openQueue } from '../../../prisma/open-queue.ts';
import { type FreezableProxy, startFreezableProxy } from '../../freezable-proxy.ts';
import { type RedisServer, startRedisServer } from '../../services/redis-server.ts';
import { redisService } from '../../services/services.ts';

const redisThere = await redisService();

describe.skipIf('missing' in redisThere).each([{ cluster: false }, { cluster: true }])(
  'A queue in Redis (cluster: $cluster)',
  { timeout: 60_000 },
  ({ cluster }) => {
    let redis: RedisServer;
    let queue: Queue;
    let answering: Consumer | undefined;
    let heard: string[];
    beforeEach(async () => {
      redis = await startRedisServer({ cluster });
      queue = openQueue(redis.url, makeLog('silent'));
      heard = [];
    });
    afterEach(async () => {
      await answering?.stop();
      answering = undefined;
      await queue.close();
      await redis.stop();
    });

    const answer = async () => {
      answering = await queue.consume('exports', 2, async (id) => {
        heard.push(id);
        return { outcome: 'done' };
      });
    };
    /** Enqueues until a job gets through, and gives the milliseconds from then to its handling. */
    const ringThrough = async (): Promise<number> => {
      const id = randomUUID();
      await vi.waitFor(() => queue.enqueueExport(id), { timeout: 15_000, interval: 100 });
      const rungAt = performance.now();
      await vi.waitFor(() => expect(heard).toContain(id), { timeout: 20_000, interval: 20 });
      return performance.now() - rungAt;
    };
    const timed = async (work: () => Promise<unknown>) => {
      const begun = performance.now();
      const error = await work().then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      return { error, tookMs: performance.now() - begun };
    };

    it('fails jobs within 1.5 seconds, and soon at once, while Redis hangs, and keeps none of them', async () => {
      await queue.enqueueExport(randomUUID());
      redis.freeze();
      const first = await timed(() => queue.enqueueExport(randomUUID()));
      expect(first.error).toBeInstanceOf(QueueAwayError);
      expect(first.tookMs).toBeLessThan(1700);
      const many = await timed(async () => {
        const jobs = await Promise.allSettled(Array.from({ length: 20_000 }, () => queue.enqueueExport(randomUUID())));
        expect(jobs.filter(({ status }) => status === 'fulfilled')).toEqual([]);
      });
      expect(many.tookMs).toBeLessThan(4000);
      redis.thaw();
      await vi.waitFor(() => queue.enqueueExport(randomUUID()), { timeout: 15_000, interval: 100 });
      // Those that were on their way when it stopped to answer.
      expect(await queue.bullQueues[0]!.count()).toBeLessThan(1100);
    });

    it('fails jobs within 1.5 seconds when Redis is gone, and again takes them when it is back', async () => {
      await queue.enqueueExport(randomUUID());
      await redis.kill();
      for (let jobs = 0; jobs < 5; jobs++) {
        const { error, tookMs } = await timed(() => queue.enqueueExport(randomUUID()));
        expect(error).toBeInstanceOf(QueueAwayError);
        expect(tookMs).toBeLessThan(1700);
      }
      await redis.restart();
      await vi.waitFor(() => queue.enqueueExport(randomUUID()), { timeout: 15_000, interval: 100 });
    });

    it('hands jobs out again without a restart after Redis hung, was emptied, and was gone', async () => {
      await answer();
      expect(await ringThrough()).toBeLessThan(2000);
      redis.freeze();
      // Longer than a worker waits for its next job.
      await wait(8_000);
      redis.thaw();
      expect(await ringThrough()).toBeLessThan(20_000);
      await redis.command('FLUSHALL');
      expect(await ringThrough()).toBeLessThan(2500);
      await redis.kill();
      expect((await timed(queue.check)).error).toBeInstanceOf(QueueAwayError);
      await redis.restart();
      expect(await ringThrough()).toBeLessThan(5000);
    });

    it('begins to answer when Redis comes after it', async () => {
      await redis.kill();
      await answer();
      await redis.restart();
      expect(await ringThrough()).toBeLessThan(5000);
    });

    it('stops and ends in time with a job in hand, whose handler has ended, while Redis hangs', async () => {
      const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
      const worker = await queue.consume('exports', 2, async (id) => {
        heard.push(id);
        await isReleased;
        return { outcome: 'handed-back' };
      });
      await queue.enqueueExport(randomUUID());
      await vi.waitFor(() => expect(heard).toHaveLength(1));
      redis.freeze();
      release();
      const { tookMs } = await timed(async () => {
        await worker.stop();
        await queue.close();
      });
      expect(tookMs).toBeLessThan(4000);
    });
  },
);

describe.skipIf('missing' in redisThere)(
  'A worker whose connections to Redis die silently',
  { timeout: 60_000 },
  () => {
    let redis: RedisServer;
    let proxy: FreezableProxy;
    beforeEach(async () => {
      redis = await startRedisServer();
      proxy = await startFreezableProxy(redis.url);
    });
    afterEach(async () => {
      await proxy.close();
      await redis.stop();
    });

    it('makes new ones, and answers again', async () => {
      const queue = openQueue(proxy.url, makeLog('silent'));
      const direct = openQueue(redis.url, makeLog('silent'));
      const heard: string[] = [];
      const worker = await queue.consume('exports', 2, async (id) => {
        heard.push(id);
        return { outcome: 'done' };
      });
      await direct.enqueueExport('before');
      await vi.waitFor(() => expect(heard).toEqual(['before']), 5000);
      proxy.freeze({ newOnes: false });
      await direct.enqueueExport('after');
      await vi.waitFor(() => expect(heard).toEqual(['before', 'after']), 40_000);
      await worker.stop();
      await Promise.all([queue.close(), direct.close()]);
    });
  },
);

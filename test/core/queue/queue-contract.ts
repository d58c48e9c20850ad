import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import type { Consumer, Handle, JobResult, Queue, QueueName } from '../../../core/queue/queue.ts';
import { openQueue } from '../../../prisma/open-queue.ts';

/** A queue server that is empty and of nobody else, until close(). */
export type QueueServer = { url: string; close(): Promise<void> };

const done: JobResult = { outcome: 'done' };

/** What every maker of a Queue is held to, on a real server. */
export function queueContract(name: string, startServer: () => Promise<QueueServer>): void {
  describe(`${name} as a queue`, () => {
    let server: QueueServer;
    /** Enqueues; others are opened beside it, as other processes would do. */
    let queue: Queue;
    const opened: Queue[] = [];
    const answering = new Set<Consumer>();
    const open = (): Queue => {
      const another = openQueue(server.url, makeLog('silent'));
      opened.push(another);
      return another;
    };
    beforeAll(async () => {
      server = await startServer();
      queue = open();
      await queue.check();
    });
    afterEach(async () => {
      await Promise.all([...answering].map((each) => each.stop()));
      answering.clear();
    });
    afterAll(async () => {
      for (const each of opened) await each.close();
      await server.close();
    });

    const answer = async (queueName: QueueName, handle: Handle, { concurrency = 4, from = queue } = {}) => {
      const each = await from.consume(queueName, concurrency, handle);
      answering.add(each);
      return {
        async stop() {
          answering.delete(each);
          await each.stop();
        },
      };
    };
    /** Answers, and writes down for whom. */
    const listen = async (queueName: QueueName) => {
      const heard: string[] = [];
      await answer(queueName, async (id) => {
        heard.push(id);
        return done;
      });
      return heard;
    };
    /** After this nothing that was enqueued before is still on its way. */
    const untilIdle = async (heard: string[], enqueue = (id: string) => queue.enqueueExport(id)) => {
      const last = randomUUID();
      await enqueue(last);
      await vi.waitFor(() => expect(heard).toContain(last), 5000);
      return heard.filter((id) => id !== last);
    };

    it('calls the handler once for a job', async () => {
      const heard = await listen('exports');
      const ids = [randomUUID(), randomUUID()];
      for (const id of ids) await queue.enqueueExport(id);
      expect((await untilIdle(heard)).sort()).toEqual(ids.sort());
    });

    it('keeps a job until somebody answers', async () => {
      const id = randomUUID();
      await queue.enqueueExport(id);
      const heard = await listen('exports');
      await vi.waitFor(() => expect(heard).toEqual([id]), 5000);
    });

    it('calls once for two jobs while none was answered', async () => {
      const id = randomUUID();
      await queue.enqueueExport(id);
      await open().enqueueExport(id);
      expect(await untilIdle(await listen('exports'))).toEqual([id]);
    });

    it('drops a job for what is being handled, and takes the next one after it', async () => {
      const id = randomUUID();
      const heard: string[] = [];
      const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
      await answer('exports', async (enqueued) => {
        heard.push(enqueued);
        if (enqueued === id) await isReleased;
        return done;
      });
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(heard).toEqual([id]), 5000);
      await queue.enqueueExport(id);
      release();
      expect(await untilIdle(heard)).toEqual([id]);
      await vi.waitFor(async () => expect(await queue.bullQueues[0]!.getJob(id)).toBeUndefined(), 5000);
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(heard.filter((each) => each === id)).toHaveLength(2), 5000);
    });

    it('gives what is handed back by a stopping worker to another at once, with nothing spent', async () => {
      const id = randomUUID();
      const stopping = Promise.withResolvers<void>();
      const [first, second] = [vi.fn(), vi.fn()];
      const one = await answer('exports', async (enqueued) => {
        first(enqueued);
        await stopping.promise;
        return { outcome: 'handed-back' };
      });
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(first).toHaveBeenCalledWith(id), 5000);
      const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
      const other = open();
      const handle: Handle = async (enqueued) => {
        second(enqueued);
        await isReleased;
        return done;
      };
      await answer('exports', handle, { from: other });
      const begun = performance.now();
      const stopped = one.stop();
      stopping.resolve();
      await stopped;
      await vi.waitFor(() => expect(second).toHaveBeenCalledWith(id), 5000);
      expect(performance.now() - begun).toBeLessThan(2000);
      expect(first).toHaveBeenCalledTimes(1);
      const job = await queue.bullQueues[0]!.getJob(id);
      expect(job).toMatchObject({ attemptsMade: 0, stalledCounter: 0 });
      release();
    });

    it('calls again after the delay that the handler asks for', async () => {
      const id = randomUUID();
      const calls: number[] = [];
      await answer('exports', async () => {
        calls.push(performance.now());
        return calls.length === 1 ? { outcome: 'retry', delayMs: 1000 } : done;
      });
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(calls).toHaveLength(2), 10_000);
      expect(calls[1]! - calls[0]!).toBeGreaterThan(990);
      expect(calls[1]! - calls[0]!).toBeLessThan(4000);
    });

    it('hands a delivery out after its delay, whatever else is enqueued meanwhile', async () => {
      const id = randomUUID();
      const calls = new Map<string, number>();
      await answer('deliveries', async (enqueued) => {
        calls.set(enqueued, performance.now());
        return done;
      });
      const begun = performance.now();
      await queue.enqueueDelivery(id, { delayMs: 1500 });
      await queue.enqueueDelivery(randomUUID());
      await vi.waitFor(() => expect(calls.size).toBe(1), 1200);
      await vi.waitFor(() => expect(calls.has(id)).toBe(true), 5000);
      expect(calls.get(id)! - begun).toBeGreaterThan(1490);
    });

    it('keeps one of several jobs that may be in vain, besides those for a time', async () => {
      const id = randomUUID();
      for (const options of [{ again: true }, { again: true }, {}, { delayMs: 1200 }]) {
        await queue.enqueueDelivery(id, options);
      }
      const heard = await listen('deliveries');
      await vi.waitFor(() => expect(heard).toHaveLength(3), 5000);
      expect(await untilIdle(heard, (last) => queue.enqueueDelivery(last))).toEqual([id, id, id]);
    });

    it('calls again when the handler throws, for as often as it takes', async () => {
      const id = randomUUID();
      let calls = 0;
      await answer('exports', async () => {
        if (++calls < 3) throw new Error('The database is away');
        return done;
      });
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(calls).toBe(3), 15_000);
    });

    it('gives the job of a killed process to another within 20 seconds', { timeout: 40_000 }, async () => {
      const id = randomUUID();
      const child = startHolder(server.url);
      await queue.enqueueExport(id);
      await printed(child, id);
      child.kill('SIGKILL');
      const begun = performance.now();
      const heard = await listen('exports');
      await vi.waitFor(() => expect(heard).toEqual([id]), 25_000);
      expect(performance.now() - begun).toBeLessThan(20_000);
    });

    it('calls one of four workers for each of 200 jobs', async () => {
      const heard: string[] = [];
      const handle: Handle = async (id) => {
        heard.push(id);
        return done;
      };
      for (const from of [queue, open(), open(), open()]) await answer('exports', handle, { from, concurrency: 8 });
      const ids = Array.from({ length: 200 }, () => randomUUID());
      await Promise.all(ids.map((id) => queue.enqueueExport(id)));
      await vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(200), 15_000);
      expect((await untilIdle(heard)).sort()).toEqual(ids.sort());
    });

    it('waits for the handler when it stops, and takes no more jobs', async () => {
      const [id, late] = [randomUUID(), randomUUID()];
      const begun = vi.fn();
      const ended = vi.fn();
      const released = Promise.withResolvers<void>();
      const worker = await answer('exports', async (enqueued) => {
        begun(enqueued);
        await released.promise;
        ended(enqueued);
        return done;
      });
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(begun).toHaveBeenCalledWith(id), 5000);
      const stopped = worker.stop();
      await queue.enqueueExport(late);
      released.resolve();
      await stopped;
      expect(ended.mock.calls).toEqual([[id]]);
      expect(begun.mock.calls).toEqual([[id]]);
      const heard = await listen('exports');
      await vi.waitFor(() => expect(heard).toEqual([late]), 5000);
    });

    it('stops within a second while it waits for jobs', async () => {
      const worker = await answer('exports', async () => done);
      const begun = performance.now();
      await worker.stop();
      expect(performance.now() - begun).toBeLessThan(1000);
    });

    it('is ready when it checks itself, and has nothing against its server', async () => {
      await expect(queue.check()).resolves.toBeUndefined();
      const findings = await queue.inspect();
      expect(findings.length).toBeGreaterThan(2);
      expect(findings.filter(({ level }) => level === 'failure')).toEqual([]);
      expect(new Set(findings.map(({ about }) => about))).toEqual(new Set(['queue']));
    });

    it('stores nothing but the id of what is enqueued', async () => {
      const id = randomUUID();
      await queue.enqueueExport(id);
      const job = await queue.bullQueues[0]!.getJob(id);
      expect(job?.data).toEqual({ id });
      expect(job?.opts).not.toHaveProperty('telemetry');
      expect(await untilIdle(await listen('exports'))).toEqual([id]);
    });

    it('ends within a second, also with jobs that wait', async () => {
      const another = openQueue(server.url, makeLog('silent'));
      await another.enqueueDelivery(randomUUID(), { delayMs: 3_600_000 });
      const begun = performance.now();
      await another.close();
      expect(performance.now() - begun).toBeLessThan(1000);
    });
  });
}

/** A process that takes jobs and never ends with them. */
function startHolder(queueUrl: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'hold-jobs.ts'), queueUrl], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function printed(child: ChildProcess, text: string): Promise<void> {
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`It ended without "${text}": ${output}`)));
  ended.catch(() => {});
  while (!output.includes(text)) await Promise.race([once(child.stdout!, 'data'), ended]);
}

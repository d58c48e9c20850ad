import {
  createPostgresBackend,
  DelayedError,
  type Job,
  type PostgresConnectionOptions,
  WaitingError,
  withBackend,
} from 'bullmq';
import type { Log } from '../log.ts';
import { type Handle, type Queue, type QueueName, queueNames } from './queue.ts';

/** A pg.Pool whose sessions have `search_path` set to the schema `bullmq`. */
export type QueuePool = Exclude<PostgresConnectionOptions, string>;

/**
 * Jobs of a worker that died are given out again after the lock and one look for stalled ones: 20 s at most. The counter
 * of BullMQ for that is for life and would end an export for good, so it is out of reach; our own counts (attemptLimits).
 */
const stallSettings = { lockDuration: 10_000, stalledInterval: 5_000, maxStalledCount: 1_000_000 };

/**
 * A handler that throws could not reach the database, so it is called again for as long as it takes. Ended jobs are
 * removed at once: the row is the record, and a job left behind would keep its id from being rung again.
 */
const jobSettings = {
  attempts: 1_000_000,
  backoff: { type: 'fixed', delay: 2_000 },
  removeOnComplete: true,
  removeOnFail: true,
};

type Ring = { id: string };

/** The queue on BullMQ's PostgreSQL backend. The caller owns the pool and has run prisma/migrate.ts. */
export function openPostgresQueue(pool: QueuePool, log: Log): Queue {
  const { Queue: BullQueue, Worker } = withBackend(createPostgresBackend);
  const connection = pool;
  let isClosing = false;
  // A connection that breaks while we end it is no news.
  const heard = (error: Error) => {
    if (!isClosing) log.warn({ err: error }, 'queue connection');
  };
  const open = (name: QueueName) =>
    new BullQueue<Ring>(name, { connection, defaultJobOptions: jobSettings }).on('error', heard);
  const exports = open(queueNames.exports);
  const deliveries = open(queueNames.deliveries);
  return {
    async ringExport(id) {
      await exports.add('export', { id }, { jobId: id });
    },
    async ringDelivery(id, { delayMs = 0, again = false } = {}) {
      // One job for each due time: a retry is rung for while the job of the attempt before still counts as active.
      const due = Math.ceil((Date.now() + delayMs) / 1000);
      await deliveries.add('delivery', { id }, { jobId: `${id}-${again ? 'again' : due}`, delay: delayMs });
    },
    async answer(name, concurrency, handle) {
      // BullMQ passes the AbortSignal only to processors of three declared parameters; ours are told by their caller.
      const worker = new Worker<Ring>(name, (job, token) => process(job, token, handle), {
        connection,
        concurrency,
        ...stallSettings,
      });
      worker.on('error', heard);
      await worker.waitUntilReady();
      return { stop: () => worker.close() };
    },
    async check() {
      await exports.getWaitingCount();
    },
    async inspect() {
      await exports.getWaitingCount();
      return [{ level: 'ok', about: 'queue', text: 'PostgreSQL answers' }];
    },
    async close() {
      isClosing = true;
      await Promise.all([exports.close(), deliveries.close()]);
    },
  };
}

async function process(job: Job<Ring>, token: string | undefined, handle: Handle): Promise<void> {
  const answer = await handle(job.data.id);
  if (answer.outcome === 'handed-back') {
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (answer.outcome === 'retry') {
    await job.moveToDelayed(Date.now() + answer.delayMs, token);
    throw new DelayedError();
  }
}

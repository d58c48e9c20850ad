import { type Queue as BullQueue, type PgPool, type Worker, withBackend } from 'bullmq';
import type { Log } from '../log.ts';
import { bullQueue } from './bull-queue.ts';
import type { JobData } from './consume-jobs.ts';
import { checkPostgres, inspectPostgres } from './postgres-monitor.ts';
import { createPatientBackend, createStartingBackend } from './postgres-start.ts';
import type { Queue } from './queue.ts';

/**
 * BullMQ would wait for a notification until the next delayed job is due, up to an hour: too long where one is lost, on a
 * connection that died silently or behind a pooler that lets none through.
 */
const longestWaitSeconds = 10;

/**
 * The queue on BullMQ's PostgreSQL backend.
 * @param pool a pg.Pool whose sessions have `search_path` set to the schema `bullmq`, which prisma/migrate.ts has made. It
 * stays the caller's.
 */
export function openPostgresQueue(pool: PgPool, log: Log): Queue {
  const { Queue: PostgresQueue } = withBackend(createStartingBackend);
  const queues: BullQueue<JobData>[] = [];
  const shared = bullQueue(
    {
      // Their types name the backend; all that we and the board call is the same.
      makeQueue(name, options) {
        const queue = new PostgresQueue<JobData>(name, {
          ...options,
          connection: pool,
        }) as unknown as BullQueue<JobData>;
        queues.push(queue);
        return queue;
      },
      makeWorker(name, process, options) {
        const closing = new AbortController();
        const { Worker: PostgresWorker } = withBackend(createPatientBackend(closing.signal));
        const worker = new PostgresWorker<JobData>(name, process, { ...options, connection: pool });
        Object.defineProperty(worker, 'maximumBlockTimeout', { value: longestWaitSeconds });
        worker.once('closing', () => closing.abort());
        // The pool is the caller's, and its end is the end of them all.
        return { worker: worker as unknown as Worker<JobData>, cut() {} };
      },
      untilReady: async () => void (await Promise.all(queues.map((queue) => queue.waitUntilReady()))),
      explain: (error) => error,
    },
    log,
  );
  return { ...shared, check: () => checkPostgres(pool), inspect: () => inspectPostgres(pool) };
}

import { type Queue as BullQueue, createPostgresBackend, type PgPool, type Worker, withBackend } from 'bullmq';
import type { Log } from '../log.ts';
import type { Ring } from './answer-rings.ts';
import { bullQueue } from './bull-queue.ts';
import { checkPostgres, inspectPostgres } from './postgres-monitor.ts';
import type { Queue } from './queue.ts';

/**
 * BullMQ would wait for a notification until the next delayed ring is due, up to an hour: too long where one is lost, on a
 * connection that died silently or behind a pooler that lets none through.
 */
const longestWaitSeconds = 10;

/**
 * The queue on BullMQ's PostgreSQL backend.
 * @param pool a pg.Pool whose sessions have `search_path` set to the schema `bullmq`, which prisma/migrate.ts has made. It
 * stays the caller's.
 */
export function openPostgresQueue(pool: PgPool, log: Log): Queue {
  const { Queue: PostgresQueue, Worker: PostgresWorker } = withBackend(createPostgresBackend);
  const queues: StartingQueue[] = [];
  const shared = bullQueue(
    {
      // Their types name the backend; all that we and the board call is the same.
      makeQueue(name, options) {
        const queue = new PostgresQueue<Ring>(name, { ...options, connection: pool });
        queues.push(queue as unknown as StartingQueue);
        return queue as unknown as BullQueue<Ring>;
      },
      makeWorker(name, process, options) {
        const worker = new PostgresWorker<Ring>(name, process, { ...options, connection: pool });
        Object.defineProperty(worker, 'maximumBlockTimeout', { value: longestWaitSeconds });
        // The pool is the caller's, and its end is the end of them all.
        return { worker: worker as unknown as Worker<Ring>, cut() {} };
      },
      untilReady: async () => void (await Promise.all(queues.map(started))),
      explain: (error) => error,
    },
    log,
  );
  return { ...shared, check: () => checkPostgres(pool), inspect: () => inspectPostgres(pool) };
}

/** What BullMQ keeps of the start of a queue: the first try, also one that failed. */
type StartingQueue = {
  waitUntilReady(): Promise<void>;
  backend: { readyPromise?: Promise<void>; connection: { readyPromise?: Promise<void> } };
};

/** A database that was away for a moment must not leave a process that never rings again: the next ring tries anew. */
async function started(queue: StartingQueue): Promise<void> {
  try {
    await queue.waitUntilReady();
  } catch (error) {
    queue.backend.readyPromise = undefined;
    queue.backend.connection.readyPromise = undefined;
    throw error;
  }
}

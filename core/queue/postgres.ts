import {
  type Queue as BullQueue,
  createPostgresBackend,
  type PostgresConnectionOptions,
  type Worker,
  withBackend,
} from 'bullmq';
import type { Log } from '../log.ts';
import type { Ring } from './answer-rings.ts';
import { bullQueue } from './bull-queue.ts';
import type { Queue } from './queue.ts';

/** A pg.Pool whose sessions have `search_path` set to the schema `bullmq`. */
export type QueuePool = Exclude<PostgresConnectionOptions, string>;

/** The queue on BullMQ's PostgreSQL backend. The caller owns the pool and has run prisma/migrate.ts. */
export function openPostgresQueue(pool: QueuePool, log: Log): Queue {
  const { Queue: PostgresQueue, Worker: PostgresWorker } = withBackend(createPostgresBackend);
  const shared = bullQueue(
    {
      // Their types name the backend; all that we and the board call is the same.
      makeQueue: (name, options) =>
        new PostgresQueue<Ring>(name, { ...options, connection: pool }) as unknown as BullQueue<Ring>,
      makeWorker(name, process, options) {
        const worker = new PostgresWorker<Ring>(name, process, { ...options, connection: pool });
        // The pool is the caller's, and its end is the end of them all.
        return { worker: worker as unknown as Worker<Ring>, cut() {} };
      },
    },
    log,
  );
  return {
    ...shared,
    async check() {
      await shared.bullQueues[0]!.getWaitingCount();
    },
    async inspect() {
      await shared.bullQueues[0]!.getWaitingCount();
      return [{ level: 'ok', about: 'queue', text: 'PostgreSQL answers' }];
    },
  };
}

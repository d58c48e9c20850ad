import { within } from '../core/async/within.ts';
import { queueEngineOf } from '../core/engines.ts';
import type { Log } from '../core/log.ts';
import { openPostgresQueue } from '../core/queue/postgres.ts';
import type { Queue } from '../core/queue/queue.ts';
import { openRedisQueue } from '../core/queue/redis.ts';
import { openQueuePool } from './client.ts';

const endLimitMs = 1_000;

/**
 * The queue that QUEUE_URL names: on Redis, or on a PostgreSQL that prisma/migrate.ts has prepared.
 * @throws ConfigError when the URL holds a mistake; not when nobody answers there
 */
export function openQueue(queueUrl: string, log: Log): Queue {
  if (queueEngineOf(queueUrl) === 'redis') return openRedisQueue(queueUrl, log);
  // Each queue and each worker listens for its errors.
  const pool = openQueuePool(queueUrl).setMaxListeners(100);
  const queue = openPostgresQueue(pool, log);
  return {
    ...queue,
    async close() {
      await queue.close();
      await within(endLimitMs, 'the end of the connections', pool.end()).catch(() => {});
    },
  };
}

import { Queue as RedisQueue, Worker as RedisWorker } from 'bullmq';
import type { Log } from '../log.ts';
import { within } from '../within.ts';
import type { Ring } from './answer-rings.ts';
import { bullQueue } from './bull-queue.ts';
import { type Queue, QueueAwayError } from './queue.ts';
import { readRedisAddress } from './redis-address.ts';
import { connectToAnswer, connectToRing } from './redis-connection.ts';

/**
 * The queue on Redis: one connection for rings, and two for each worker, which come back by themselves.
 * @param url redis:// or rediss://, as README says
 * @throws ConfigError when the URL holds a mistake
 */
export function openRedisQueue(url: string, log: Log): Queue {
  const address = readRedisAddress(url);
  const ringing = connectToRing(address);
  const prefix = address.keyPrefix;
  const shared = bullQueue(
    {
      // Without these two, a queue that was opened while Redis was away would wait for it, and its rings with it.
      makeQueue: (name, options) =>
        new RedisQueue<Ring>(name, {
          ...options,
          prefix,
          connection: ringing,
          skipWaitingForReady: true,
          skipVersionCheck: true,
        }),
      makeWorker(name, process, options) {
        const { connection, cut } = connectToAnswer(address);
        return { worker: new RedisWorker<Ring>(name, process, { ...options, prefix, connection }), cut };
      },
    },
    log,
  );
  return {
    ...shared,
    async check() {
      await within(1_400, 'PING', ringing.ping()).catch((cause) => {
        throw new QueueAwayError('Redis does not answer', { cause });
      });
    },
    async inspect() {
      return [];
    },
    async close() {
      await shared.close();
      ringing.disconnect();
    },
  };
}

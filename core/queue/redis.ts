import { Queue as RedisQueue, Worker as RedisWorker } from 'bullmq';
import type { Log } from '../log.ts';
import { bullQueue } from './bull-queue.ts';
import type { JobData } from './consume-jobs.ts';
import type { Queue } from './queue.ts';
import { readRedisAddress } from './redis-address.ts';
import { connectToAnswer, connectToRing } from './redis-connection.ts';
import { monitorRedis } from './redis-monitor.ts';

/** Redis wakes one worker for a job. Where that one has just gone, the others look for themselves. */
const longestWaitSeconds = 2;

/**
 * The queue on Redis: one connection for jobs, and two for each worker, which come back by themselves. What is unfit about
 * the server is logged once, when it first answers.
 * @param url redis:// or rediss://, as docs/deploy.md says
 * @throws ConfigError when the URL holds a mistake
 */
export function openRedisQueue(url: string, log: Log): Queue {
  const address = readRedisAddress(url);
  const ringing = connectToRing(address);
  const monitor = monitorRedis(ringing, address);
  const prefix = address.keyPrefix;
  const shared = bullQueue(
    {
      makeQueue(name, options) {
        // Without the last two a queue that was opened while Redis was away would wait for it, and its jobs with it.
        const more = { prefix, connection: ringing, skipWaitingForReady: true, skipVersionCheck: true };
        return new RedisQueue<JobData>(name, { ...options, ...more });
      },
      makeWorker(name, process, options) {
        const { connection, cut } = connectToAnswer(address);
        const more = { prefix, connection, drainDelay: longestWaitSeconds };
        return { worker: new RedisWorker<JobData>(name, process, { ...options, ...more }), cut };
      },
      untilReady: monitor.untilReady,
      explain: monitor.explain,
    },
    log,
  );
  let isClosed = false;
  ringing.once('ready', async () => {
    const findings = await monitor.inspect();
    if (isClosed) return;
    for (const finding of findings) {
      if (finding.level === 'warning') log.warn({ remedy: finding.remedy }, finding.text);
      if (finding.level === 'failure') log.error({ remedy: finding.remedy }, finding.text);
    }
  });
  return {
    ...shared,
    check: monitor.check,
    inspect: monitor.inspect,
    async close() {
      isClosed = true;
      await shared.close();
      ringing.disconnect();
    },
  };
}

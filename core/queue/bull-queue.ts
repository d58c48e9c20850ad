import type { Queue as BullQueue, QueueOptions } from 'bullmq';
import { within } from '../async/within.ts';
import type { Log } from '../log.ts';
import { consumeJobs, type JobData, type MakeWorker } from './consume-jobs.ts';
import { outageLog } from './outage-log.ts';
import { type Queue, QueueAwayError, type QueueName, queueNames } from './queue.ts';
import { queueTelemetry } from './telemetry.ts';

/** What differs between the makers: where the objects of BullMQ have their connections from. */
export type Bull = {
  makeQueue(name: QueueName, options: Omit<QueueOptions, 'connection'>): BullQueue<JobData>;
  makeWorker: MakeWorker;
  /** Waits, not for long, until a job can be sent. @throws when it cannot */
  untilReady(): Promise<void>;
  /** What to throw for a job that failed with this error. */
  explain(error: Error): Error;
};

/**
 * A handler that throws could not reach the database, so it is called again for as long as it takes. Ended jobs are
 * removed at once: the row is the record, and a job left behind would keep its id from being enqueued again.
 */
const jobSettings = {
  attempts: 1_000_000,
  backoff: { type: 'fixed', delay: 2_000 },
  removeOnComplete: true,
  removeOnFail: true,
};

/** Nobody reads the events of the queues, so few are kept. */
const streams = { events: { maxLen: 100 } };

/** Jobs without an answer at one time. More of them would only fill memory: worker/sweep/sweep.ts makes up for those refused. */
const mostPendingEnqueues = 1_000;
/** Milliseconds for an answer to a job: a connection may be silent for many minutes before TCP gives it up. */
const enqueueLimitMs = 5_000;
const closeLimitMs = 1_000;

/** What both makers do alike, on BullMQ's queues of either backend. */
export function bullQueue(
  { makeQueue, makeWorker, untilReady, explain }: Bull,
  log: Log,
): Pick<Queue, 'bullQueues' | 'enqueueExport' | 'enqueueDelivery' | 'consume' | 'close'> {
  const telemetry = queueTelemetry();
  const heard = outageLog(log, 'queue connection');
  const open = (name: QueueName) =>
    makeQueue(name, { defaultJobOptions: jobSettings, streams, telemetry }).on('error', heard);
  const [exports, deliveries] = [open(queueNames.exports), open(queueNames.deliveries)];
  const enqueue = boundedEnqueue({ untilReady, explain });
  return {
    bullQueues: [exports, deliveries],
    enqueueExport: (id) => enqueue(() => exports.add('export', { id }, { jobId: id })),
    enqueueDelivery(id, { delayMs = 0, again = false } = {}) {
      // One job for each due time: a retry is enqueued while the job of the attempt before still counts as active.
      const due = Math.ceil((Date.now() + delayMs) / 1000);
      const jobId = `${id}-${again ? 'again' : due}`;
      return enqueue(() => deliveries.add('delivery', { id }, { jobId, delay: delayMs }));
    },
    consume: (name, concurrency, handle) =>
      consumeJobs({ makeWorker, telemetry, heard, log }, { name, concurrency, handle }),
    async close() {
      heard.stop();
      const closing = Promise.all([exports.close(), deliveries.close()]);
      await within(closeLimitMs, 'closing the queue', closing).catch(() => {});
    },
  };
}

/** Lets `mostPendingEnqueues` be under way, and waits `enqueueLimitMs` for each. @throws QueueAwayError, and what `explain` gives */
function boundedEnqueue({ untilReady, explain }: Pick<Bull, 'untilReady' | 'explain'>) {
  let underWay = 0;
  return async (add: () => Promise<unknown>): Promise<void> => {
    if (underWay >= mostPendingEnqueues)
      throw new QueueAwayError(`${mostPendingEnqueues} jobs wait for an answer of the queue already`);
    underWay++;
    const adding = untilReady()
      .then(add)
      .finally(() => {
        underWay--;
      });
    await within(enqueueLimitMs, 'the enqueueing of a job', adding).catch((error) => {
      throw explain(error);
    });
  };
}

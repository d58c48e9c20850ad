import { setTimeout as wait } from 'node:timers/promises';
import {
  DelayedError,
  type Job,
  type Processor,
  type Telemetry,
  WaitingError,
  type Worker,
  type WorkerOptions,
} from 'bullmq';
import { TooLateError, within } from '../async/within.ts';
import type { Log } from '../log.ts';
import { type OutageLog, outageLog } from './outage-log.ts';
import type { Consumer, Handle, QueueName } from './queue.ts';

/** The data of every job. It is stored as it is, so it names a row and tells nothing of it. */
export type JobData = { id: string };

/** `cut` breaks the worker's connections off, so that nothing waits for an answer on them any more. */
export type MakeWorker = (
  name: QueueName,
  process: Processor<JobData>,
  options: Omit<WorkerOptions, 'connection'>,
) => { worker: Worker<JobData>; cut(): void };

type Parts = { makeWorker: MakeWorker; telemetry: Telemetry; heard: OutageLog; log: Log };

/**
 * Jobs of a worker that died are given out again after the lock and one look for stalled ones: 20 s at most. The counter
 * of BullMQ for that is for life and would end an export for good, so it is out of reach; our own counts (attemptLimits).
 * Its wait after a broken connection is 15 seconds, which are long for whoever waits for an export.
 */
const workerSettings = {
  lockDuration: 10_000,
  stalledInterval: 5_000,
  maxStalledCount: 1_000_000,
  runRetryDelay: 1_000,
};

/** Milliseconds. */
const limits = {
  /** For the first connection; a worker whose server is away begins when it comes. */
  start: 5_000,
  letGo: 500,
  /** For handlers that were told to end: a stopping process has 10 seconds for everything. */
  handlers: 6_000,
  /**
   * For what BullMQ has to say to its server after the last of them. It would wait for an answer without limit
   * (https://github.com/taskforcesh/bullmq/issues/4656).
   */
  farewell: 1_000,
  /** For its loops to end once the connections are cut. */
  cut: 300,
};

/** Queue.consume with one worker of BullMQ. @throws when the server refuses it, not when it is away */
export async function consumeJobs(
  { makeWorker, telemetry, heard, log }: Parts,
  { name, concurrency, handle }: { name: QueueName; concurrency: number; handle: Handle },
): Promise<Consumer> {
  const handling = new Set<Promise<unknown>>();
  let isStopping = false;
  let hasLetGo: Promise<void> | undefined;
  const failed = outageLog(log, 'a job could not be handled; it is given out again');
  const counted: Handle = (id) => {
    // BullMQ takes one more when its wait for jobs is interrupted.
    if (isStopping) return Promise.resolve({ outcome: 'handed-back' });
    const handled = handle(id).finally(() => handling.delete(handled));
    handling.add(handled);
    handled.catch(failed);
    return handled;
  };
  // BullMQ passes the AbortSignal only to processors of three declared parameters; ours are told by their caller.
  const { worker, cut } = makeWorker(
    name,
    (job, token) => process({ job, token, handle: counted, hasLetGo: () => hasLetGo }),
    {
      concurrency,
      telemetry,
      ...workerSettings,
    },
  );
  worker.on('error', heard);
  const stop = () => {
    isStopping = true;
    hasLetGo ??= letGo(worker);
    return stopWorker({ worker, cut, handling, log: log.child({ queue: name }) });
  };
  try {
    await within(limits.start, 'the first connection', worker.waitUntilReady());
  } catch (error) {
    if (!(error instanceof TooLateError)) {
      await stop();
      throw error;
    }
    log.warn({ queue: name }, 'the queue is away; its jobs are handled once it is there');
  }
  return { stop };
}

/** No job reaches the worker any more that its server could have sent on to another one. */
const letGo = (worker: Worker<JobData>): Promise<void> =>
  within(limits.letGo, 'the end of the wait for jobs', worker.getBackend().disconnectBlocking()).catch(() => {});

type Processing = {
  job: Job<JobData>;
  token: string | undefined;
  handle: Handle;
  hasLetGo(): Promise<void> | undefined;
};

async function process({ job, token, handle, hasLetGo }: Processing): Promise<void> {
  const answer = await handle(job.data.id);
  if (answer.outcome === 'handed-back') {
    // Else Redis wakes us with it, who wait no longer, instead of another.
    await hasLetGo();
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (answer.outcome === 'retry') {
    await job.moveToDelayed(Date.now() + answer.delayMs, token);
    throw new DelayedError();
  }
}

type Stopping = { worker: Worker<JobData>; cut(): void; handling: ReadonlySet<Promise<unknown>>; log: Log };

async function stopWorker({ worker, cut, handling, log }: Stopping): Promise<void> {
  // Its loops also end by errors, of connections that are cut.
  const closed = worker.close().catch(() => {});
  const isClosed = closed.then(() => true);
  const handled = allEnded(handling).then(() => wait(limits.farewell, false, { ref: false }));
  const hasLeft = await Promise.race([isClosed, handled, wait(limits.handlers, false, { ref: false })]);
  if (hasLeft) return cut();
  if (handling.size > 0) log.warn({ handling: handling.size }, 'stopped before all jobs were handled');
  else log.warn('the queue did not take leave: it gives jobs that it still counts as ours out again');
  cut();
  await Promise.race([isClosed, wait(limits.cut)]);
}

/** Also of handlers that begin while others end. */
async function allEnded(handling: ReadonlySet<Promise<unknown>>): Promise<void> {
  while (handling.size > 0) await Promise.allSettled(handling);
}

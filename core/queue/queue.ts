import type { Queue as BullQueue } from 'bullmq';
import type { Finding } from '../findings.ts';

/**
 * What wakes workers. What is to be done stands in the database; the queue only says "there is something to do",
 * so a job that is lost costs time (worker/sweep/sweep.ts enqueues it again), never an export. Two makers: Redis (redis.ts) and
 * PostgreSQL (postgres.ts); test/core/queue holds both to the same contract.
 */
export type Queue = {
  /** Enqueues a queued export. A job for one that is in the queue already changes nothing. */
  enqueueExport(exportId: string): Promise<void>;
  /** Enqueues a pending delivery, after `delayMs`. `again` is for jobs that may be in vain: of those one waits at most. */
  enqueueDelivery(deliveryId: string, options?: { delayMs?: number; again?: boolean }): Promise<void>;
  /** Calls `handle` for each job, `concurrency` at a time, until stopped. */
  consume(name: QueueName, concurrency: number, handle: Handle): Promise<Consumer>;
  /**
   * Returns within 1.5 seconds, too.
   * @throws QueueAwayError while it does not answer or takes no jobs, which passes
   * @throws QueueLosesJobsError if it would lose what it is given
   * @throws Error that says why, if it refuses us, which somebody has to repair
   */
  check(): Promise<void>;
  /** All there is to say about the server behind it, for people. A server that does not answer is a finding. */
  inspect(): Promise<Finding[]>;
  /** The BullMQ queues themselves, for the board of api/queues-board.ts. */
  bullQueues: readonly BullQueue[];
  /** Ends within seconds, also when the server does not answer any more. */
  close(): Promise<void>;
};

/**
 * The queue cannot be reached, or is full. Nothing is wrong with us or with how it is set up, and nothing is lost: the API
 * serves all it has, and exports made meanwhile begin when the queue is back. So it is no reason to take a process out of
 * service.
 */
export class QueueAwayError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'QueueAwayError';
  }
}

/** The queue would lose jobs that it has taken, by the way it is set up. */
export class QueueLosesJobsError extends Error {
  override name = 'QueueLosesJobsError';
}

/** Names of the two queues; a job's data is `{ id }` and nothing else. */
export const queueNames = { exports: 'exports', deliveries: 'deliveries' } as const;
export type QueueName = (typeof queueNames)[keyof typeof queueNames];

/** What became of a job: nothing left to do, another worker is to be called at once, or somebody in `delayMs`. */
export type JobResult = { outcome: 'done' } | { outcome: 'handed-back' } | { outcome: 'retry'; delayMs: number };
export type Handle = (id: string) => Promise<JobResult>;

export type Consumer = {
  /**
   * Takes no more jobs and waits for those being handled; `handle` must have been told to end. Ends within seconds, also
   * when the server does not answer any more.
   */
  stop(): Promise<void>;
};

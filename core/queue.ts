/**
 * The bell that wakes workers. What is to be done stands in the database; the queue only says "look at this row now", so
 * a ring that is lost costs time (worker/sweep.ts rings again), never an export.
 */
export type Queue = {
  /** Rings for a queued export. A ring for one that is in the queue already changes nothing. */
  ringExport(exportId: string, options?: { delayMs?: number; priority?: number }): Promise<void>;
  /** Rings for a pending delivery, after `delayMs`. */
  ringDelivery(deliveryId: string, options?: { delayMs?: number }): Promise<void>;
  close(): Promise<void>;
};

/** Names of the two queues; a job's data is `{ id }` and nothing else. */
export const queueNames = { exports: 'exports', deliveries: 'deliveries' } as const;

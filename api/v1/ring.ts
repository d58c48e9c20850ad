import { within } from '../../core/async/within.ts';
import type { Log } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';

export type RingDeps = { queue: Queue; log: Log };

/** A queue that does not answer must not keep the client: the row is written, and the sweep rings again. */
const ringTimeoutMs = 1_000;

/** Rings for a queued export, and waits for the queue a little: most clients poll at once. */
export async function ringExport({ queue, log }: RingDeps, exportId: string): Promise<void> {
  const ring = queue
    .ringExport(exportId)
    .catch((err) => log.warn({ export_id: exportId, err }, 'the queue cannot be rung'));
  await within(ringTimeoutMs, 'a ring', ring).catch(() => {});
}

/** Rings for a pending delivery without waiting: a queue that is down or hangs keeps no client; worker/sweep/sweep.ts rings later. */
export function ringDelivery({ queue, log }: RingDeps, deliveryId: string): void {
  queue.ringDelivery(deliveryId).catch((err) => log.warn({ delivery_id: deliveryId, err }, 'the queue cannot be rung'));
}

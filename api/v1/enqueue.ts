import { within } from '../../core/async/within.ts';
import type { Log } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';

export type EnqueueDeps = { queue: Queue; log: Log };

/** A queue that does not answer must not keep the client: the row is written, and the sweep enqueues it again. */
const enqueueTimeoutMs = 1_000;

/** Enqueues a queued export, and waits for the queue a little: most clients poll at once. */
export async function enqueueExport({ queue, log }: EnqueueDeps, exportId: string): Promise<void> {
  const enqueued = queue
    .enqueueExport(exportId)
    .catch((err) => log.warn({ export_id: exportId, err }, 'the queue did not take a job'));
  await within(enqueueTimeoutMs, 'the enqueueing of an export', enqueued).catch(() => {});
}

/** Enqueues a pending delivery without waiting: a queue that is down or hangs keeps no client; worker/sweep/sweep.ts enqueues it later. */
export function enqueueDelivery({ queue, log }: EnqueueDeps, deliveryId: string): void {
  queue
    .enqueueDelivery(deliveryId)
    .catch((err) => log.warn({ delivery_id: deliveryId, err }, 'the queue did not take a job'));
}

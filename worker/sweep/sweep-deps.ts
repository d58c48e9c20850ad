import type { Config } from '../../core/config.ts';
import type { Log, LogFields } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Queue } from '../../core/queue/queue.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { Database } from '../../prisma/client.ts';

/** What the duties of the sweep work with. */
export type SweepDeps = {
  config: Pick<Config, 'LOGFERRY_PLAN_LIMITS' | 'origin'>;
  database: Database;
  queue: Queue;
  store: ObjectStore;
  secretKey: SecretKey;
  log: Log;
  metrics: Metrics;
};

/** Rows one sweep looks at for each of its duties; the next one does the rest. */
export const sweepLimit = 1000;

/**
 * Does something about each of these exports, or of what is left of them; one that fails keeps none behind it waiting.
 * @throws Error that counts them, if some failed; why each did is in the log
 */
export const forEachExport = <T extends { id?: string | undefined }>(
  deps: SweepDeps,
  items: T[],
  work: (item: T) => Promise<void>,
): Promise<void> => forEachNamed(deps, items, { work, nameOf: ({ id }) => ({ export_id: id }) });

/** As forEachExport(), of tenants. */
export const forEachTenant = <T extends { tenantId: string }>(
  deps: SweepDeps,
  items: T[],
  work: (item: T) => Promise<void>,
): Promise<void> => forEachNamed(deps, items, { work, nameOf: ({ tenantId }) => ({ tenant_id: tenantId }) });

async function forEachNamed<T>(
  { log }: SweepDeps,
  items: T[],
  { work, nameOf }: { work: (item: T) => Promise<void>; nameOf: (item: T) => LogFields },
): Promise<void> {
  let failed = 0;
  for (const item of items) {
    await work(item).catch((err) => {
      failed++;
      log.warn({ err, ...nameOf(item) }, 'sweep');
    });
  }
  if (failed > 0) throw new Error(`${failed} of ${items.length} failed`);
}

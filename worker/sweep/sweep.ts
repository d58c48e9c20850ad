import { abortStrayUploads } from './abort-stray-uploads.ts';
import { abortUploads } from './abort-uploads.ts';
import { compareLogs } from './compare-logs.ts';
import { deleteFiles } from './delete-files.ts';
import { deleteTenants } from './delete-tenants.ts';
import { enqueueDeliveries } from './enqueue-deliveries.ts';
import { enqueueErasures } from './enqueue-erasures.ts';
import { enqueueExports } from './enqueue-exports.ts';
import { expireEvents } from './expire-events.ts';
import { expireFiles } from './expire-files.ts';
import { forgetKeys } from './forget-keys.ts';
import { removeOrphans } from './remove-orphans.ts';
import { sealLogs } from './seal-logs.ts';
import type { SweepDeps } from './sweep-deps.ts';

/**
 * What finds everything that was left behind: exports and deliveries whose job was lost, files that have lived their time,
 * uploads that no run owns, and files that no export knows; and what brings the logs' trees up to date. Every duty may be
 * repeated, by any number of workers at once. The names are the label `duty` of the metrics.
 */
export const duties: Readonly<Record<string, (deps: SweepDeps) => Promise<void>>> = {
  enqueueExports,
  enqueueErasures,
  enqueueDeliveries,
  expireFiles,
  deleteFiles,
  abortUploads,
  abortStrayUploads,
  forgetKeys,
  removeOrphans,
  deleteTenants,
  expireEvents,
  sealLogs,
  compareLogs,
};

/**
 * Seconds between two looks of all workers together, where they are not LOGFERRY_SWEEP_SECONDS: S3 takes money for lists of
 * all that there is.
 */
export const rareDuties: Readonly<Record<string, number>> = { removeOrphans: 3_600 };

/** Does each duty once; one that fails keeps none of the others. */
export async function sweep(deps: SweepDeps): Promise<void> {
  for (const [duty, run] of Object.entries(duties)) {
    await run(deps).catch((err) => deps.log.warn({ err, duty }, 'sweep'));
  }
}

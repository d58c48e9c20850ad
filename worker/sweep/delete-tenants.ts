import { tenantIdOfKey } from '../../core/exports/stored-file.ts';
import { logFolder } from '../../prisma/log/kept-checkpoint.ts';
import {
  cancelExportsOf,
  deletingTenants,
  finishDeletion,
  markNothingStored,
  removeRowsOfTenant,
  storedFor,
} from '../../prisma/removal/deletion.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import { type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Milliseconds of one call for all tenants; the next one goes on. */
const budgetMs = 20_000;
/** Exports whose files are removed at a time. */
const filesAtOnce = 8;

/**
 * Goes on with the deletion of tenants: first their exports end, then what the storage holds of them goes, then their rows,
 * and last the tenants themselves. Every step may be repeated, so a process that dies in between leaves nothing that the next
 * one does not find.
 */
export async function deleteTenants(deps: SweepDeps): Promise<void> {
  const until = performance.now() + budgetMs;
  const tenants = await deletingTenants(deps.database.prisma, sweepLimit);
  let failed = 0;
  for (const tenant of tenants) {
    if (performance.now() > until) break;
    await deleteOne(deps, tenant, until).catch((err) => {
      failed++;
      deps.log.warn({ err, tenant_id: tenant.id }, 'sweep');
    });
  }
  if (failed > 0) throw new Error(`${failed} of ${tenants.length} tenants could not be deleted yet`);
}

async function deleteOne(deps: SweepDeps, tenant: TenantRow, until: number): Promise<void> {
  const { database, log, metrics } = deps;
  if (!(await endExports(deps, tenant.id, until))) return;
  await removeStored(deps, tenant.id, until);
  const { events, isDone } = await removeRowsOfTenant(database, tenant, until);
  metrics.add('logferry_events_removed_total', events, { reason: 'deletion' });
  if (!isDone) return;
  // Once more: who was writing it down when it went may have died before he could see that it has gone.
  await removeFolder(deps.store, logFolder(tenant.id));
  await finishDeletion(database.prisma, tenant);
  log.info({ tenant_id: tenant.id }, 'tenant deleted');
}

/** @returns whether all have ended: a worker has seconds to end what it runs */
async function endExports({ database, metrics }: SweepDeps, tenantId: string, until: number): Promise<boolean> {
  for (;;) {
    const { canceled, areLeft } = await cancelExportsOf(database, tenantId, sweepLimit);
    metrics.add('logferry_exports_ended_total', canceled, { outcome: 'canceled' });
    if (!areLeft) return true;
    if (canceled === 0 || performance.now() > until) return false;
  }
}

/** Removes files and uploads of the tenant, and what is kept of its log for a restored database. */
async function removeStored({ database, store }: SweepDeps, tenantId: string, until: number): Promise<void> {
  for (;;) {
    const stored = await storedFor(database.prisma, tenantId, filesAtOnce);
    if (stored.length === 0) break;
    await Promise.all(
      stored.map(async ({ storageKey: key, uploadId }) => {
        if (uploadId) await store.abortUpload({ key, uploadId });
        await store.deleteObject(key);
      }),
    );
    await markNothingStored(
      database.prisma,
      stored.map(({ id }) => id),
    );
    if (performance.now() > until) return;
  }
  for (const upload of await store.listUploads()) {
    if (tenantIdOfKey(upload.key) === tenantId) await store.abortUpload(upload);
  }
  for (const folder of [`exports/${tenantId}/`, logFolder(tenantId)]) await removeFolder(store, folder);
}

async function removeFolder(store: SweepDeps['store'], folder: string): Promise<void> {
  for await (const page of store.listObjects(folder)) {
    for (const { key } of page) await store.deleteObject(key);
  }
}

import { retentionByPlan } from '../../core/exports/plan-limits.ts';
import { keepEntries, sealThrough } from '../../prisma/log/seal.ts';
import { failOverdue, removeExpired, tellExpired } from '../../prisma/removal/expired-rows.ts';
import { type ExpiringLog, expireDue, expiringLogs } from '../../prisma/removal/expiry.ts';
import { forgetLostStreams } from '../../prisma/removal/open-streams.ts';
import { type SweepDeps, sweepLimit } from './sweep-deps.ts';

/** Milliseconds of one call for all tenants; the next one goes on. */
const budgetMs = 20_000;

/**
 * Removes events that were received longer ago than their tenant keeps them: moves the beginning of the log, removes the rows
 * before it, and says so in the log. Every step may be repeated, by any number of workers at once.
 */
export async function expireEvents(deps: SweepDeps): Promise<void> {
  const { config, database } = deps;
  const until = performance.now() + budgetMs;
  await forgetLostStreams(database);
  const logs = await expiringLogs(database, retentionByPlan(config.LOGFERRY_PLAN_LIMITS), sweepLimit);
  let failed = 0;
  for (const log of logs) {
    if (performance.now() > until) break;
    await expireOne(deps, log, until).catch((err) => {
      failed++;
      deps.log.warn({ err, tenant_id: log.tenantId }, 'sweep');
    });
  }
  if (failed > 0) throw new Error(`The events of ${failed} of ${logs.length} tenants could not be removed yet`);
}

async function expireOne(deps: SweepDeps, log: ExpiringLog, until: number): Promise<void> {
  const { database, queue, metrics } = deps;
  const { tenantId } = log;
  const isNothingDue = await expireDue(database, log, until);
  for (const deliveries of await failOverdue(database.prisma, tenantId)) {
    metrics.add('logferry_exports_ended_total', 1, { outcome: 'failed' });
    for (const id of deliveries) await queue.enqueueDelivery(id);
  }
  const tree = { sealThrough: (id: string, size: number) => sealThrough(database, id, size), keepEntries };
  const removed = await removeExpired(database, tenantId, { tree, until });
  metrics.add('logferry_events_removed_total', removed, { reason: 'retention' });
  if (isNothingDue) await tellExpired(database, tenantId);
}

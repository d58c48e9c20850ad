import { systemEvent } from '../../core/events/new-event.ts';
import { type Database, inTransaction, type Prisma, type Sql } from '../client.ts';
import { appendEvents, inChainOrder, lockChainHead } from '../events/append.ts';
import { announce } from '../exports/end.ts';
import type { ExportError } from '../exports/view.ts';
import { keptHours, lockRemovable } from './expiry.ts';
import { removeEventsThrough, removeInBatches } from './in-batches.ts';

/** What the Merkle tree of a log needs before its events go, and in the transaction that removes those up to a number. */
export type TreeKeeper = {
  sealThrough(tenantId: string, size: number): Promise<void>;
  keepEntries(sql: Sql, tenantId: string, through: number): Promise<void>;
};

const rowsExpired: ExportError = {
  code: 'rows_expired',
  message: `The retention of the tenant is over for rows of this export, and they waited ${keptHours} hours for it. Create it again: it has what is left.`,
  retryable: false,
};

/**
 * Fails the exports of a tenant for which expired rows have waited for their time.
 * @returns ids of the deliveries to enqueue, for each export that failed
 */
export async function failOverdue(prisma: Prisma, tenantId: string): Promise<string[][]> {
  const where = {
    tenantId,
    status: { in: ['queued' as const, 'running' as const] },
    rowsKeptUntil: { lt: new Date() },
  };
  const overdue = await prisma.export.findMany({ where, select: { id: true } });
  const failed: string[][] = [];
  for (const { id } of overdue) {
    const deliveries = await prisma.$transaction(async (tx) => {
      const [row] = await tx.export.updateManyAndReturn({
        where: { ...where, id },
        // Whoever runs it holds an older epoch, and writes nothing any more.
        data: {
          status: 'failed',
          error: rowsExpired,
          epoch: { increment: 1 },
          completedAt: new Date(),
          leaseUntil: null,
        },
      });
      return row && announce(tx, row);
    });
    if (deliveries) failed.push(deliveries);
  }
  return failed;
}

/**
 * Removes the rows of events that have expired, in batches, as far as no export and no stream that is under way may read them.
 * @param until milliseconds of performance.now()
 */
export async function removeExpired(
  { pool }: Database,
  tenantId: string,
  { tree, until }: { tree: TreeKeeper; until: number },
): Promise<number> {
  const through = await removableThrough(pool, tenantId);
  if (through === undefined) return 0;
  await tree.sealThrough(tenantId, through);
  const batches = removeEventsThrough(tenantId, through, {
    async before(sql, upTo) {
      if (!(await lockRemovable(sql, tenantId))) return false;
      await tree.keepEntries(sql, tenantId, upTo);
      return true;
    },
    // Last, as from here on writers of the tenant wait for the commit.
    async after(sql, upTo) {
      const moved =
        'update chain_heads set removed_through = greatest(removed_through, $2::bigint) where tenant_id = $1::uuid';
      await sql(moved, [tenantId, upTo]);
    },
  });
  return (await removeInBatches(pool, batches, until)).removed;
}

/** Up to which number rows may go; undefined if there is nothing to remove. */
async function removableThrough(pool: Database['pool'], tenantId: string): Promise<number | undefined> {
  const { rows } = await pool.query<{ through: string }>(
    `select least(h.expired_through,
       (select min(rows_after) from exports where tenant_id = $1 and status in ('queued', 'running')),
       (select min(rows_after) from open_streams where tenant_id = $1
          and begun_at > now() - make_interval(hours => ${keptHours}))) as through
     from chain_heads h where h.tenant_id = $1 and h.expired_through > h.removed_through`,
    [tenantId],
  );
  return rows[0] && Number(rows[0].through);
}

const retention = { actor: { id: null, type: 'system', name: 'Retention' }, context: { ip: null, user_agent: null } };

/**
 * Writes into the log what has gone since it was told last, once all of that is gone and a day has passed since then. For a log
 * in which nothing that is due is left.
 */
export function tellExpired({ pool }: Database, tenantId: string): Promise<void> {
  const tell = (sql: Sql) => tellLocked(sql, tenantId);
  return inChainOrder(tenantId, () => inTransaction(pool, tell));
}

async function tellLocked(sql: Sql, tenantId: string): Promise<void> {
  await lockChainHead(sql, tenantId);
  const [row] = await sql<{ through: unknown; count: unknown }>(
    `update chain_heads h set told_through = h.expired_through, told_at = now() from chain_heads before
     where h.tenant_id = $1::uuid and before.tenant_id = h.tenant_id and h.removed_through = h.expired_through
       and h.expired_through > h.told_through and coalesce(h.told_at < now() - interval '1 day', true)
     returning h.told_through as through, h.told_through - before.told_through as count`,
    [tenantId],
  );
  if (!row) return;
  const metadata = { through_sequence: Number(row.through), count: Number(row.count) };
  await appendEvents(sql, tenantId, [systemEvent({ action: 'logferry.events.expired', ...retention, metadata })]);
}

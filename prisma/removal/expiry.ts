import type { PlanRetention } from '../../core/exports/plan-limits.ts';
import { type Database, inTransaction, type Sql } from '../client.ts';
import { managementLogId } from '../control-log.ts';

/** A log of which something has lived its time, or is left to be removed or to be told of. */
export type ExpiringLog = { tenantId: string; days: number };

/** Days that events of the tenant `t` are kept, null for ever; $1 is PlanRetention as JSON. */
export const daysOf = `coalesce(t.retention_days, (($1::json) ->> t.plan::text)::integer)`;
/** The last day's events were told of less than this ago. */
const toldAgain = `interval '1 day'`;

/** Logs that retention has something to do for, but for those on legal hold. The management's own is for ever. */
export async function expiringLogs({ pool }: Database, plans: PlanRetention, limit: number): Promise<ExpiringLog[]> {
  const { rows } = await pool.query<ExpiringLog>(
    `select t.id as "tenantId", ${daysOf} as days
     from tenants t join chain_heads h on h.tenant_id = t.id
     where t.status = 'active' and not t.legal_hold and t.id <> $3::uuid and ${daysOf} is not null
       and (h.expired_through > h.removed_through
         or h.expired_through > h.told_through and coalesce(h.told_at < now() - ${toldAgain}, true)
         or exists (select from events e where e.tenant_id = t.id and e.sequence_number = h.expired_through + 1
           and e.received_at < now() - make_interval(days => ${daysOf})))
     order by t.id limit $2`,
    [JSON.stringify(plans), limit, managementLogId],
  );
  return rows;
}

/** Events that one look for the end of what is due reads. */
const windowEvents = 10_000;
/** How long rows that have lived their time wait for exports that were made before. */
export const keptHours = 24;

/**
 * Moves the beginning of a log behind the events that were received longer ago than `days`: all before the first that was not.
 * They are no part of the log any more, and exports made from now on have none of them; the rows go later. Moves it by some
 * thousand events at a time, so that writers wait for none of the looking.
 * @returns whether nothing that is due is left in the log
 */
export async function expireDue({ pool }: Database, { tenantId, days }: ExpiringLog, until: number): Promise<boolean> {
  while (performance.now() < until) {
    const { rows } = await pool.query<{ after: string; through: string | null }>(
      `select h.expired_through as after,
         (select coalesce(min(sequence_number) filter (where received_at >= now() - make_interval(days => $2)) - 1,
           max(sequence_number)) from (
             select sequence_number, received_at from events
             where tenant_id = h.tenant_id and sequence_number > h.expired_through order by sequence_number limit $3
           ) as first_ones) as through
       from chain_heads h where tenant_id = $1`,
      [tenantId, days, windowEvents],
    );
    const [after, through] = [Number(rows[0]?.after), Number(rows[0]?.through ?? 0)];
    if (!rows[0] || through <= after) return true;
    if (!(await inTransaction(pool, (sql) => moveBeginning(sql, tenantId, { after, through })))) return false;
  }
  return false;
}

/** Exports are made under the lock of the head: each was before, and its rows are kept for it, or begins behind them. */
async function moveBeginning(sql: Sql, tenantId: string, { after, through }: { after: number; through: number }) {
  if (!(await lockRemovable(sql, tenantId))) return false;
  const moved = await sql(
    `update chain_heads set expired_through = $2::bigint, expired_hash = (
       select hash from events where tenant_id = $1::uuid and sequence_number = $2::bigint)
     where tenant_id = $1::uuid and expired_through = $3::bigint returning 1`,
    [tenantId, through, after],
  );
  await sql(
    `update exports set rows_kept_until = now() + make_interval(hours => ${keptHours})
     where tenant_id = $1::uuid and status in ('queued', 'running') and rows_after < $2::bigint and rows_kept_until is null`,
    [tenantId, through],
  );
  return moved.length > 0;
}

/** Whether events of the tenant may be removed; it stays so until the transaction ends. */
export async function lockRemovable(sql: Sql, tenantId: string): Promise<boolean> {
  const found = await sql(
    `select from tenants where id = $1::uuid and status = 'active' and not legal_hold for share`,
    [tenantId],
  );
  return found.length > 0;
}

/**
 * Puts back into the log what has lived its time and is not removed yet. For the transaction that puts the tenant on hold.
 */
export async function keepUnremoved(sql: Sql, tenantId: string): Promise<void> {
  await sql(
    `update chain_heads h set expired_through = removed_through, expired_hash = (
       select previous_hash from events where tenant_id = $1::uuid and sequence_number = h.removed_through + 1)
     where tenant_id = $1::uuid and expired_through > removed_through`,
    [tenantId],
  );
  await sql(
    `update exports set rows_kept_until = null
     where tenant_id = $1::uuid and status in ('queued', 'running') and rows_kept_until is not null`,
    [tenantId],
  );
}

import type { StoreLimits } from '../../core/exports/store-limits.ts';
import { StoreLimitError } from '../../core/storage/store-full.ts';
import type { Database, Sql } from '../client.ts';
import { quote } from '../sql/bind.ts';
import { LeaseLostError, type Run } from './runs.ts';

/** Any number that nothing else locks. */
const storeLock = 4_242_002;

/** Bytes that a run reserves beyond what it is about to write. */
const mostAhead = 2 ** 30;

/** SQL for the bytes that exports hold of the storage: of a tenant (SQL for its id), or of all. By an index alone. */
export const storedBytesOf = (tenant?: string): string =>
  `(select coalesce(sum(s.stored_bytes), 0) from exports s where s.stored_bytes > 0${tenant ? ` and s.tenant_id = ${tenant}` : ''})`;

/**
 * The bytes that all exports hold of the storage: files not yet deleted, and what running exports have written or reserved.
 */
export async function readStoredBytes(sql: Sql): Promise<number> {
  const [row] = await sql<{ bytes: unknown }>(`select ${storedBytesOf()} as bytes`);
  return Number(row!.bytes);
}

/**
 * Reserves room for the file of a run up to `through` bytes, before they are written. Where there is plenty it gets as much
 * again, at most 1 GiB and a 16th of what is left, so that a large file asks a few times instead of once for each part.
 *
 * What exports hold is a sum over their rows; whoever reserves looks at it alone, so two together do not exceed a limit. As
 * in claimExport() the statements travel together, so that a process that stops in between holds the lock no longer than the
 * server works; and the row comes first, so that nobody waits with the lock for whoever is changing the export.
 * @returns bytes that are reserved for the file now
 * @throws StoreLimitError, LeaseLostError
 */
export async function reserveBytes(
  database: Database,
  run: Run,
  { through, limits }: { through: number; limits: StoreLimits },
): Promise<number> {
  const ofTenant = `(${quote(JSON.stringify(limits.ofTenant))}::jsonb ->> t.plan::text)::numeric`;
  const ofAll = limits.ofAll === null ? 'null' : String(limits.ofAll);
  const isLimited = [limits.ofAll, ...Object.values(limits.ofTenant)].some((limit) => limit !== null);
  const held = (e = '') => `${e}id = ${quote(run.exportId)} and ${e}epoch = ${run.epoch} and ${e}status = 'running'`;
  const results = await database.runs.query(`
    set local synchronous_commit = off;
    select from exports where ${held()} for update;
    ${isLimited ? `select pg_advisory_xact_lock(${storeLock});` : ''}
    with held as (
      select e.id, e.reserved_bytes as reserved_before, greatest(0, ${through} - e.reserved_bytes) as needed, ${ofTenant} as tenant_limit,
        case when ${ofTenant} is not null then ${ofTenant} - ${storedBytesOf('e.tenant_id')} end as tenant_room,
        case when ${ofAll}::numeric is not null then ${ofAll}::numeric - ${storedBytesOf()} end as all_room
      from exports e join tenants t on t.id = e.tenant_id where ${held('e.')}),
    reserved as (
      update exports set reserved_bytes = reserved_bytes + needed
        + trunc(least(${through}, ${mostAhead}, (least(tenant_room, all_room) - needed) / 16))::bigint
      from held where exports.id = held.id and needed > 0 and (needed <= least(tenant_room, all_room)) is not false
      returning reserved_bytes)
    select needed, tenant_limit, tenant_room,
      case when needed = 0 then reserved_before else (select reserved_bytes from reserved) end as reserved from held;`);
  const [found] = (results as unknown as { rows: Room[] }[]).at(-1)!.rows;
  if (!found) throw new LeaseLostError(run);
  if (found.reserved !== null) return Number(found.reserved);
  const isTenants = found.tenant_room !== null && Number(found.tenant_room) < Number(found.needed);
  throw new StoreLimitError(isTenants ? { of: 'tenant', bytes: Number(found.tenant_limit) } : { of: 'all' });
}

type Room = { needed: string; tenant_limit: string | null; tenant_room: string | null; reserved: string | null };

/** Gives back what a run has reserved and not written: what it holds then are the parts of its checkpoints. */
export async function keepWrittenBytes({ runs }: Pick<Database, 'runs'>, { exportId, epoch }: Run): Promise<void> {
  await runs.query(
    `update exports set reserved_bytes = (select coalesce(sum(bytes), 0) from checkpoints where export_id = exports.id)
     where id = $1 and epoch = $2 and status = 'running'`,
    [exportId, epoch],
  );
}

/** Gives back all that a run has reserved: nothing of it is stored any more. */
export async function keepNoBytes({ runs }: Pick<Database, 'runs'>, { exportId, epoch }: Run): Promise<void> {
  await runs.query(`update exports set reserved_bytes = 0 where id = $1 and epoch = $2 and status = 'running'`, [
    exportId,
    epoch,
  ]);
}

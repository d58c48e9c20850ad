import type { PlanRetention } from '../../core/exports/plan-limits.ts';
import { newId } from '../../core/ids.ts';
import type { Database } from '../client.ts';
import { daysOf, keptHours } from './expiry.ts';

/** Rows that are not removed while a stream reads them. */
export type HeldRows = {
  /**
   * The rows as they come.
   * @throws Error at their end if they have been held for too long: some may be missing
   */
  reading<T>(rows: AsyncIterable<T>): AsyncGenerator<T>;
  giveBack(): Promise<void>;
};

/**
 * Has retention wait, for a day at most, until a stream of events has read what it may read. It costs something only where
 * events expire. What the stream is of must be read after this.
 * @param after the sequence number after which the stream asks for events
 */
export async function holdRows(
  { pool }: Pick<Database, 'pool'>,
  { tenantId, after }: { tenantId: string; after: number },
  plans: PlanRetention,
): Promise<HeldRows> {
  const id = newId();
  // Under the lock of the head, so that its beginning is moved either before or in sight of this row.
  const { rowCount } = await pool.query(
    `with expiring as (
       select h.tenant_id, h.expired_through from chain_heads h join tenants t on t.id = h.tenant_id
       where h.tenant_id = $2 and ${daysOf} is not null for share of h
     )
     insert into open_streams (id, tenant_id, rows_after, begun_at)
     select $3, tenant_id, greatest(expired_through, $4), now() from expiring`,
    [JSON.stringify(plans), tenantId, id, after],
  );
  let isHeld = rowCount === 1;
  const release = async (): Promise<boolean> => {
    if (!isHeld) return true;
    isHeld = false;
    return (await pool.query('delete from open_streams where id = $1', [id])).rowCount === 1;
  };
  return {
    async *reading(rows) {
      yield* rows;
      if (!(await release())) throw new Error(`The stream took more than ${keptHours} hours, and rows of it expired`);
    },
    async giveBack() {
      await release();
    },
  };
}

/** Forgets streams of processes that died, and those that take too long. */
export async function forgetLostStreams({ pool }: Pick<Database, 'pool'>): Promise<void> {
  await pool.query(`delete from open_streams where begun_at < now() - make_interval(hours => ${keptHours})`);
}

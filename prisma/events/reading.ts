import type pg from 'pg';
import { boundedSlots } from '../../core/async/bounded-slots.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import { pgSql, type Sql } from '../client.ts';

/**
 * Reads of lists, which may take seconds. They have half of the pool at most, so that they never keep events from being taken
 * or a process from being ready; and a tenant has a third of that.
 */
export type Reading = <T>(
  tenantId: string,
  filter: Pick<RowFilter, 'search' | 'metadata' | 'fields'>,
  work: (sql: Sql) => Promise<T>,
) => Promise<T>;

/** At a time, in a process. */
export const mostReads = { inAll: 10, ofOneTenant: 4 };

/** Milliseconds after which a list is given up: what no index serves is looked for in every event. */
export const readLimitsMs = { usual: 5_000, searching: 10_000 };

/** Milliseconds that a list waits for its tenant's others to end. */
const waitMs = 5_000;

export function openReading(pool: pg.Pool): Reading {
  const inSlot = boundedSlots({ ...mostReads, waitMs }, tooBusy);
  return async (tenantId, { search, metadata, fields }, work) => {
    const limitMs = search || metadata || fields?.length ? readLimitsMs.searching : readLimitsMs.usual;
    return inSlot(tenantId, () => readOnly(pool, limitMs, work));
  };
}

const tooBusy = 'Too many lists are being read. Send fewer at a time, or create an export.';

/** Runs `work` in a transaction that only reads, and whose statements are given up after so long. */
async function readOnly<T>(pool: pg.Pool, limitMs: number, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query(`begin read only; set local statement_timeout = ${limitMs}`);
    const result = await work(pgSql(client));
    await client.query('commit');
    broken = false;
    return result;
  } catch (error) {
    broken = await client.query('rollback').then(
      () => false,
      () => true,
    );
    throw error;
  } finally {
    client.release(broken);
  }
}

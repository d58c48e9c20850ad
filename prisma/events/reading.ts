import type pg from 'pg';
import { boundedSlots } from '../../core/async/bounded-slots.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import type { Sql } from '../client.ts';
import { readAsTenant } from '../isolation/as-role.ts';

/**
 * Reads of lists, which may take seconds. They have half of the pool at most, so that they never keep events from being taken
 * or a process from being ready; and a tenant has a third of that. They see the events of these tenants alone; one that reads
 * those of several counts for the first.
 */
export type Reading = <T>(
  tenants: string | readonly [string, ...string[]],
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
  return async (tenants, { search, metadata, fields }, work) => {
    const limitMs = search || metadata || fields?.length ? readLimitsMs.searching : readLimitsMs.usual;
    const first = typeof tenants === 'string' ? tenants : tenants[0];
    return inSlot(first, () => readAsTenant(pool, { tenants, limitMs }, work));
  };
}

const tooBusy = 'Too many lists are being read. Send fewer at a time, or create an export.';

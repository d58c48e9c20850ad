import type { Sql } from '../client.ts';

/** A log that ends before a number of its own which something else has kept. */
export type Rollback = { head: number; known: number; keptBy: 'an export' };

/**
 * Looks for a sequence number beyond the head of a tenant's log: then its end is gone, as after a change in the database or the
 * restore of events alone, however well the rest is chained. Known are the bounds of all exports, expired and failed ones too,
 * whose records stay. The tenant's own audit trail adds none: it is part of the log and names only numbers before its own.
 *
 * One statement, as of one moment: an export that is made meanwhile has a bound within the head of then. By an index alone.
 */
export async function findRollback(sql: Sql, tenantId: string): Promise<Rollback | undefined> {
  const [row] = await sql<{ head: unknown; known: unknown }>(
    `select h.sequence_number as head, e.as_of_sequence as known
     from (select coalesce((select sequence_number from chain_heads where tenant_id = $1::uuid), 0) as sequence_number) h,
     lateral (select as_of_sequence from exports where tenant_id = $1::uuid and as_of_sequence > h.sequence_number
       order by as_of_sequence desc limit 1) e`,
    [tenantId],
  );
  return row && { head: Number(row.head), known: Number(row.known), keptBy: 'an export' };
}

/** What people are told of it. */
export const tellRollback = ({ head, known, keptBy }: Rollback): string =>
  `The log ends at ${head}, and ${keptBy} knows number ${known}: events behind ${head} were removed, or the database was restored without them.`;

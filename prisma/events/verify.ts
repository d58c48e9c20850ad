import { type ChainEnd, chainStart } from '../../core/events/chain-link.ts';
import type { Sql } from '../client.ts';
import { canonicalEventSql } from '../sql/event-json.ts';
import { findRollback, tellRollback } from './greatest-known.ts';

/** What GET /v1/verify answers (docs/chain.md). */
export type Verdict = {
  status: 'valid' | 'broken';
  /** Events looked at, the one at which the chain broke included. */
  events_checked: number;
  first_event_id: string | null;
  /** The last one looked at. */
  last_event_id: string | null;
  /**
   * The first event that is not what was written, or does not follow the one before. When the end of the log is missing,
   * the last event that still stands. Null when the chain holds, and when no event stands at all.
   */
  broken_at_event_id: string | null;
  /** In a sentence, where the events themselves do not show what is wrong. */
  reason?: string;
};

/** Numbers checked by one statement: a fraction of a second, so that no snapshot is held for long. */
export const rangeLength = 20_000;

/**
 * Recomputes a tenant's whole chain, up to its head as it is now, inside PostgreSQL: each digest from the stored columns,
 * each hash from the digest, each link to the one before, every number from 1 without gaps, and the head; and compares the head
 * with the greatest number that anything else knows (greatest-known.ts).
 * @param signal ends it between two statements
 */
export async function verifyChain(
  sql: Sql,
  tenantId: string,
  { signal, length = rangeLength }: { signal?: AbortSignal; length?: number } = {},
): Promise<Verdict> {
  const head = await readHead(sql, tenantId);
  let last = head.beginning;
  const after = last.sequenceNumber;
  for (let from = last.sequenceNumber; from < head.sequenceNumber; from += length) {
    signal?.throwIfAborted();
    const through = Math.min(from + length, head.sequenceNumber);
    const range = await checkRange(sql, tenantId, last, { from, through });
    if (range.brokenAt !== null) return broken(sql, tenantId, range.brokenAt, { after, through: range.brokenAt });
    last = range.last ?? last;
  }
  if (last.sequenceNumber !== head.sequenceNumber || last.hash !== head.hash)
    return broken(sql, tenantId, last.sequenceNumber, { after, through: last.sequenceNumber });
  if (head.outside !== null)
    return broken(sql, tenantId, head.outside, {
      after: Math.min(after, head.outside - 1),
      through: head.sequenceNumber,
    });
  const rollback = await findRollback(sql, tenantId);
  if (rollback) {
    const checked = { after, through: last.sequenceNumber };
    return { ...(await broken(sql, tenantId, last.sequenceNumber, checked)), reason: tellRollback(rollback) };
  }
  return {
    status: 'valid',
    ...(await summary(sql, tenantId, { after, through: last.sequenceNumber })),
    broken_at_event_id: null,
  };
}

/**
 * The head, and the number of an event that stands outside of 1 … head, if there is one. One statement sees both as of the
 * same moment, and writers move both together.
 */
async function readHead(
  sql: Sql,
  tenantId: string,
): Promise<ChainEnd & { outside: number | null; beginning: ChainEnd }> {
  const [row] = await sql<{
    sequence_number: unknown;
    hash: string;
    outside: unknown;
    expired: unknown;
    start: string;
  }>(
    `select sequence_number, encode(hash, 'hex') as hash, expired_through as expired,
     encode(coalesce(expired_hash, decode(repeat('00', 32), 'hex')), 'hex') as start, coalesce(
       (select min(e.sequence_number) from events e where e.tenant_id = h.tenant_id and e.sequence_number <= h.removed_through),
       (select min(e.sequence_number) from events e where e.tenant_id = h.tenant_id and e.sequence_number > h.sequence_number)
     ) as outside from chain_heads h where tenant_id = $1::uuid`,
    [tenantId],
  );
  if (!row) return { ...chainStart, outside: null, beginning: chainStart };
  const outside = row.outside === null ? null : Number(row.outside);
  const beginning = { sequenceNumber: Number(row.expired), hash: row.start };
  return { sequenceNumber: Number(row.sequence_number), hash: row.hash, outside, beginning };
}

/** What must be true of every event; the two columns beside `context` repeat members of it, and no digest holds them. */
const conditions = [
  'sequence_number = lag(sequence_number, 1, $2::bigint) over by_number + 1',
  `previous_hash = lag(hash, 1, decode($3, 'hex')) over by_number`,
  `hash = event_hash(previous_hash, sequence_number, sha256(convert_to(${canonicalEventSql}, 'UTF8')))`,
  `context_ip is not distinct from context ->> 'ip'`,
  `context_user_agent is not distinct from context ->> 'user_agent'`,
];

async function checkRange(
  sql: Sql,
  tenantId: string,
  last: ChainEnd,
  { from, through }: { from: number; through: number },
): Promise<{ brokenAt: number | null; last: ChainEnd | null }> {
  const [row] = await sql<{ broken_at: unknown; last_number: unknown; last_hash: string }>(
    `select min(sequence_number) filter (where holds is not true) as broken_at, max(sequence_number) as last_number,
       encode((array_agg(hash order by sequence_number desc))[1], 'hex') as last_hash
     from (
       select sequence_number, hash, ${conditions.join('\n         and ')} as holds
       from events where tenant_id = $1::uuid and sequence_number > $4::bigint and sequence_number <= $5::bigint
       window by_number as (order by sequence_number)
     ) as checked`,
    [tenantId, last.sequenceNumber, last.hash, from, through],
  );
  const { broken_at, last_number, last_hash } = row!;
  return {
    brokenAt: broken_at === null ? null : Number(broken_at),
    last: last_number === null ? null : { sequenceNumber: Number(last_number), hash: last_hash },
  };
}

async function broken(sql: Sql, tenantId: string, at: number, { after, through }: Checked): Promise<Verdict> {
  const [event] = await sql<{ id: string }>(
    'select id from events where tenant_id = $1::uuid and sequence_number = $2::bigint',
    [tenantId, at],
  );
  return {
    status: 'broken',
    ...(await summary(sql, tenantId, { after, through })),
    broken_at_event_id: event?.id ?? null,
  };
}

/** Which numbers were looked at. */
type Checked = { after: number; through: number };

async function summary(sql: Sql, tenantId: string, { after, through }: Checked) {
  const [row] = await sql<{ count: unknown; first: string | null; last: string | null }>(
    `select (select count(*) from events where tenant_id = $1::uuid and sequence_number > $3::bigint and sequence_number <= $2::bigint) as count,
       (select id from events where tenant_id = $1::uuid and sequence_number > $3::bigint and sequence_number <= $2::bigint order by sequence_number limit 1) as first,
       (select id from events where tenant_id = $1::uuid and sequence_number > $3::bigint and sequence_number <= $2::bigint order by sequence_number desc limit 1) as last`,
    [tenantId, through, after],
  );
  return { events_checked: Number(row!.count), first_event_id: row!.first, last_event_id: row!.last };
}

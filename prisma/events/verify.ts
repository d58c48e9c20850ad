import { type ChainEnd, chainStart } from '../../core/evidence/chain-link.ts';
import type { Sql } from '../client.ts';
import { digestSql, erasedIsEmpty, saltsSql } from '../sql/digest.ts';
import { findRollback, tellRollback } from './greatest-known.ts';

/** What GET /v1/verify answers (docs/verify.md). */
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
  /** The end of the whole log when the check began. */
  head: { sequence_number: number; hash: string };
};

/** Which numbers are checked: those after the one up to the other. */
export type SequenceRange = { after?: number; through?: number };

/** Numbers checked by one statement: a fraction of a second, so that no snapshot is held for long. */
export const rangeLength = 20_000;

type Options = SequenceRange & { signal?: AbortSignal; length?: number };

/**
 * Recomputes a tenant's chain, up to its head as it is now, inside PostgreSQL: each digest from the stored columns, each
 * hash from the digest, each link to the one before, every number without gaps, and the head. It begins at the first event
 * that retention has left, and compares the head with the greatest number that anything else knows (greatest-known.ts). A range is checked by itself, from the stored hash of the event before it.
 * @param options.signal ends it between two statements
 */
export async function verifyChain(sql: Sql, tenantId: string, options: Options = {}): Promise<Verdict> {
  const ends = await readEnds(sql, tenantId);
  const range = boundsOf(ends, options);
  const brokenAt = await findBreak(sql, tenantId, { ends, range, options });
  // Retention has removed what was to be checked meanwhile: that is no break.
  if (brokenAt !== undefined && (await readEnds(sql, tenantId)).start.sequenceNumber > ends.start.sequenceNumber)
    return verifyChain(sql, tenantId, options);
  const rollback = brokenAt === undefined && range.reachesHead ? await findRollback(sql, tenantId) : undefined;
  if (rollback)
    return {
      ...(await verdict(sql, tenantId, { ends, range, brokenAt: range.through })),
      reason: tellRollback(rollback),
    };
  return verdict(sql, tenantId, { ends, range, brokenAt });
}

async function verdict(
  sql: Sql,
  tenantId: string,
  { ends, range, brokenAt }: { ends: Ends; range: Bounds; brokenAt: number | undefined },
): Promise<Verdict> {
  const { sequenceNumber: sequence_number, hash } = ends.head;
  // One that stands where no event should has nothing to do with how far the check came.
  const isInside = brokenAt !== undefined && brokenAt > range.after;
  const checked = { ...range, through: isInside ? Math.min(brokenAt, range.through) : range.through };
  return {
    status: brokenAt === undefined ? 'valid' : 'broken',
    ...(await summary(sql, tenantId, checked)),
    broken_at_event_id: brokenAt === undefined ? null : await idOf(sql, tenantId, brokenAt),
    head: { sequence_number, hash },
  };
}

type Bounds = { after: number; through: number; reachesHead: boolean };

function boundsOf({ start, head }: Ends, { after = 0, through = Number.MAX_SAFE_INTEGER }: SequenceRange): Bounds {
  const reachesHead = through >= head.sequenceNumber;
  return {
    after: Math.max(after, start.sequenceNumber),
    through: Math.min(through, head.sequenceNumber),
    reachesHead,
  };
}

/** @returns the number at which the chain breaks, undefined if it holds */
async function findBreak(
  sql: Sql,
  tenantId: string,
  { ends, range, options }: { ends: Ends; range: Bounds; options: Options },
): Promise<number | undefined> {
  const { signal, length = rangeLength } = options;
  let last: ChainEnd | undefined = await endAt(sql, tenantId, { ends, number: range.after });
  // The event before the range is gone, so the first of the range does not follow it.
  if (!last) return range.after + 1;
  for (let from = range.after; from < range.through; from += length) {
    signal?.throwIfAborted();
    const checked = await checkRange(sql, tenantId, last, { from, through: Math.min(from + length, range.through) });
    if (checked.brokenAt !== null) return checked.brokenAt;
    last = checked.last ?? last;
  }
  if (last.sequenceNumber < range.through) return last.sequenceNumber;
  if (!range.reachesHead) return undefined;
  if (last.sequenceNumber === ends.head.sequenceNumber && last.hash !== ends.head.hash) return last.sequenceNumber;
  const { outside } = ends;
  return outside !== null && outside > (options.after ?? outside - 1) ? outside : undefined;
}

/** The end of the chain up to this number; undefined if there is no such event. */
async function endAt(
  sql: Sql,
  tenantId: string,
  { ends, number }: { ends: Ends; number: number },
): Promise<ChainEnd | undefined> {
  if (number === ends.start.sequenceNumber) return ends.start;
  const [row] = await sql<{ hash: string }>(
    `select encode(hash, 'hex') as hash from events where tenant_id = $1::uuid and sequence_number = $2::bigint`,
    [tenantId, number],
  );
  return row && { sequenceNumber: number, hash: row.hash };
}

/** Where the log begins and ends, and the number of an event that stands outside of that, if there is one. */
type Ends = { start: ChainEnd; head: ChainEnd; outside: number | null };

/**
 * One statement sees all of it as of the same moment, and writers move the head with their events.
 */
async function readEnds(sql: Sql, tenantId: string): Promise<Ends> {
  const [row] = await sql<{ number: unknown; hash: string; expired: unknown; start: string; outside: unknown }>(
    `select sequence_number as number, encode(hash, 'hex') as hash, expired_through as expired,
       encode(coalesce(expired_hash, decode(repeat('00', 32), 'hex')), 'hex') as start, coalesce(
       (select min(e.sequence_number) from events e where e.tenant_id = h.tenant_id and e.sequence_number <= h.removed_through),
       (select min(e.sequence_number) from events e where e.tenant_id = h.tenant_id and e.sequence_number > h.sequence_number)
     ) as outside from chain_heads h where tenant_id = $1::uuid`,
    [tenantId],
  );
  if (!row) return { start: chainStart, head: chainStart, outside: null };
  return {
    start: { sequenceNumber: Number(row.expired), hash: row.start },
    head: { sequenceNumber: Number(row.number), hash: row.hash },
    outside: row.outside === null ? null : Number(row.outside),
  };
}

/** What must be true of every event; the two columns beside `context` repeat members of it, and no digest holds them. */
const conditions = [
  'sequence_number = lag(sequence_number, 1, $2::bigint) over by_number + 1',
  `previous_hash = lag(hash, 1, decode($3, 'hex')) over by_number`,
  `hash = event_hash(previous_hash, sequence_number, ${digestSql})`,
  erasedIsEmpty,
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
       from (
         select events.*, ${saltsSql} as salts from events
         where tenant_id = $1::uuid and sequence_number > $4::bigint and sequence_number <= $5::bigint offset 0
       ) as salted
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

async function idOf(sql: Sql, tenantId: string, number: number): Promise<string | null> {
  const [event] = await sql<{ id: string }>(
    'select id from events where tenant_id = $1::uuid and sequence_number = $2::bigint',
    [tenantId, number],
  );
  return event?.id ?? null;
}

async function summary(sql: Sql, tenantId: string, { after, through }: Omit<Bounds, 'reachesHead'>) {
  const among =
    'from events where tenant_id = $1::uuid and sequence_number > $2::bigint and sequence_number <= $3::bigint';
  const [row] = await sql<{ count: unknown; first: string | null; last: string | null }>(
    `select (select count(*) ${among}) as count,
       (select id ${among} order by sequence_number limit 1) as first,
       (select id ${among} order by sequence_number desc limit 1) as last`,
    [tenantId, after, through],
  );
  return { events_checked: Number(row!.count), first_event_id: row!.first, last_event_id: row!.last };
}

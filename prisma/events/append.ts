import { oneAtATime } from '../../core/async/one-at-a-time.ts';
import { AppError } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import type { ChainEnd, ChainLink } from '../../core/evidence/chain-link.ts';
import { hashOf } from '../../core/evidence/digest.ts';
import type { Sql } from '../client.ts';
import { copyEvents, encodeEvents } from './binary-rows.ts';
import { newEventColumns, newEventNames } from './columns.ts';

/** What an event became. `repeated`: one of that id stood already, and the rest is of that one. */
export type StoredEvent = ChainLink & { id: string; repeated: boolean };

/**
 * Transactions that lock the chain of one tenant wait for each other here, and not in the database, where each that
 * waits would hold a connection: twenty of one tenant would keep everybody out.
 */
export const inChainOrder = oneAtATime();

/**
 * Locks the tenant's chain until the transaction ends: nobody else appends meanwhile, and what was committed before is
 * visible to every later statement. It must be a statement of its own: under READ COMMITTED, one that waits for the lock
 * and reads events as well would read them as they were before the wait.
 * @throws AppError not_found for a tenant that does not exist
 */
export async function lockChainHead(sql: Sql, tenantId: string): Promise<ChainEnd> {
  const [head] = await sql<{ sequence_number: unknown; hash: string }>(
    `select sequence_number, encode(hash, 'hex') as hash from chain_heads where tenant_id = $1::uuid for update`,
    [tenantId],
  );
  if (!head) throw new AppError('not_found', 'There is no such tenant.');
  return { sequenceNumber: Number(head.sequence_number), hash: head.hash };
}

/**
 * Appends events to the tenant's log, in the order given, inside the caller's transaction: numbered without gaps, chained
 * (docs/verify.md), repeats left out. The only way into the table, besides the stream's (prisma/events/append-stream.ts).
 * The tenant's chain stays locked until the caller commits, so that should come soon.
 * @returns one entry for each event, in the order given
 * @throws AppError not_found for a tenant that does not exist
 */
export async function appendEvents(sql: Sql, tenantId: string, events: readonly NewEvent[]): Promise<StoredEvent[]> {
  if (events.length === 0) return [];
  const head = await lockChainHead(sql, tenantId);
  // Only a client's id can be there already.
  if (!events.some((event) => event.own_id)) {
    const links = await insert(sql, tenantId, head, events);
    return events.map(({ id }, index) => storedEvent(id, links[index]!, false));
  }
  const stored = new Map(await findStored(sql, tenantId, events));
  const fresh = new Map<string, NewEvent>();
  for (const event of events) if (!stored.has(event.id) && !fresh.has(event.id)) fresh.set(event.id, event);
  const links = await insert(sql, tenantId, head, [...fresh.values()]);
  for (const [index, id] of [...fresh.keys()].entries()) stored.set(id, links[index]!);
  // The second of one id within the same call repeats the first.
  return events.map((event) => storedEvent(event.id, stored.get(event.id)!, fresh.get(event.id) !== event));
}

const storedEvent = (id: string, link: ChainLink, repeated: boolean): StoredEvent => ({ ...link, id, repeated });

/** The events of these whose own id is stored already. */
async function findStored(sql: Sql, tenantId: string, events: readonly NewEvent[]): Promise<[string, ChainLink][]> {
  const ids = events.filter((event) => event.own_id).map((event) => event.id);
  const rows = await sql<{ id: string; number: unknown; hash: string; previous: string }>(
    `select id, sequence_number as number, encode(hash, 'hex') as hash, encode(previous_hash, 'hex') as previous from events
     where tenant_id = $1::uuid and id in (select value::uuid from json_array_elements_text($2::json))`,
    [tenantId, JSON.stringify(ids)],
  );
  return rows.map(({ id, number, hash, previous }) => [
    id,
    { sequenceNumber: Number(number), hash, previousHash: previous },
  ]);
}

/**
 * The columns of a staged event, for `create table` and json_to_recordset: all text but the number, JSON members too, so
 * that the very text which was hashed is stored.
 */
export const stagedColumns = `${newEventColumns.map(([name]) => `${name} text`).join(', ')}, seed text, digest text`;
/** Their names. */
export const stagedNames = `${newEventNames}, seed, digest`;

const casts = newEventColumns.map(([name, type]) => `${name}::${type}`).join(', ');

/**
 * The statement that chains staged events and stores them, and gives how many (`count`). `source`, named "staged", gives
 * stagedColumns and `position`, counted from 1 without gaps; $1 is the tenant, $2 and $3 are number and hash (hex) of the
 * locked head. The head moves with it.
 */
export const chainAndStore = (source: string): string => `
  with chained as (
    select staged.*, $2::bigint + position as sequence_number,
      event_chain(decode($3, 'hex'), $2::bigint + position, decode(digest, 'hex')) over (order by position) as hash
    from ${source}
  ), stored as (
    insert into events (tenant_id, sequence_number, ${newEventNames}, seed, previous_hash, hash)
    select $1::uuid, sequence_number, ${casts}, decode(seed, 'hex'),
      lag(hash, 1, decode($3, 'hex')) over (order by position), hash
    from chained order by position
    returning sequence_number, hash
  ), moved as (
    update chain_heads set sequence_number = last.sequence_number, hash = last.hash
    from (select sequence_number, hash from stored order by sequence_number desc limit 1) as last
    where tenant_id = $1::uuid
  )
  select count(*) as count from stored`;

const moveHead = `
  update chain_heads set sequence_number = $2::bigint, hash = decode($3, 'hex') where tenant_id = $1::uuid`;

/** Stores events that were chained here: no function of PostgreSQL hashes as fast as this process does. */
const storeChained = `
  with stored as (
    insert into events (tenant_id, sequence_number, ${newEventNames}, seed, previous_hash, hash)
    select $1::uuid, sequence_number, ${casts}, decode(seed, 'hex'), decode(previous_hash, 'hex'), decode(hash, 'hex')
    from json_to_recordset($4::json) as chained (sequence_number bigint, previous_hash text, hash text, ${stagedColumns})
  ) ${moveHead}`;

/** Fewer go as one statement: COPY takes two round trips more. */
const copiedFrom = 20;

async function insert(sql: Sql, tenantId: string, head: ChainEnd, events: readonly NewEvent[]): Promise<ChainLink[]> {
  if (events.length === 0) return [];
  const links = chainAfter(head, events);
  const last = links.at(-1)!;
  const moved = [tenantId, last.sequenceNumber, last.hash];
  if (sql.copyIn && events.length >= copiedFrom) {
    await sql.copyIn(copyEvents, encodeEvents(tenantId, events, links));
    await sql(moveHead, moved);
  } else {
    const rows = events.map((event, index) => ({ ...inHex(event), ...asColumns(links[index]!) }));
    await sql(storeChained, [...moved, JSON.stringify(rows)]);
  }
  return links;
}

const asColumns = ({ sequenceNumber, hash, previousHash }: ChainLink) => ({
  sequence_number: sequenceNumber,
  hash,
  previous_hash: previousHash,
});

/** An event whose bytes are hex, for JSON. */
const inHex = ({ seed, digest, ...event }: NewEvent) => ({
  ...event,
  seed: seed.toString('hex'),
  digest: digest.toString('hex'),
});

/** The numbers and hashes of events that follow the head (docs/verify.md). */
function chainAfter(head: ChainEnd, events: readonly NewEvent[]): ChainLink[] {
  let { sequenceNumber, hash: previousHash } = head;
  return events.map(({ digest }) => {
    sequenceNumber++;
    const link = { sequenceNumber, hash: hashOf(previousHash, sequenceNumber, digest), previousHash };
    previousHash = link.hash;
    return link;
  });
}

/** Events as the JSON text that json_to_recordset reads, numbered from `firstPosition`. */
export const stagedRows = (events: readonly NewEvent[], firstPosition: number): string =>
  JSON.stringify(events.map((event, index) => ({ position: firstPosition + index, ...inHex(event) })));

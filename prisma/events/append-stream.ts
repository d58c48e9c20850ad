import type pg from 'pg';
import { boundedSlots } from '../../core/async/bounded-slots.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { pgSql, type Sql } from '../client.ts';
import { usableRoles } from '../isolation/as-role.ts';
import { chainAndStore, lockChainHead, stagedColumns, stagedNames, stagedRows } from './append.ts';

/**
 * Streams that gather at a time, and those of one tenant. Each holds a connection for as long as its client takes; further
 * ones wait.
 */
const mostStreams = { inAll: 4, ofOneTenant: 2 };

/** Milliseconds that a stream waits for others to end: its client sends nothing meanwhile, and would not know why. */
const waitMs = 10_000;

/** Events of one stream that are worth new statistics; taking them costs less than a second. */
const analyzeFrom = 50_000;

export type AppendStream = (tenantId: string, chunks: AsyncIterable<readonly NewEvent[]>) => Promise<number>;

/**
 * appendStream() for a few clients at a time: slow ones must not take every connection of the pool.
 * Fails with AppError unavailable and `Retry-After`, nothing taken, if others keep their places too long.
 */
export function streamAppender(pool: pg.Pool, options = { waitMs }): AppendStream {
  const inSlot = boundedSlots({ ...mostStreams, ...options }, tooBusy);
  return (tenantId, chunks) => inSlot(tenantId, () => appendStream(pool, tenantId, chunks));
}

const tooBusy =
  'Too many long NDJSON streams are being taken just now. Try again in a few seconds, or send batches of up to 1,000 events, which wait for nobody.';

/**
 * Appends a stream of events, however long, all or nothing. They gather in a temporary table of one connection, outside
 * of any transaction: a slow client keeps neither the tenant's chain locked nor vacuum from its work. Only when the stream
 * has ended they are numbered, chained and stored, by one statement. An error of `chunks` comes through, and nothing is kept.
 * @returns how many were taken, repeats of stored ids included
 * @throws AppError not_found for a tenant that does not exist
 */
async function appendStream(
  pool: pg.Pool,
  tenantId: string,
  chunks: AsyncIterable<readonly NewEvent[]>,
): Promise<number> {
  const client = await pool.connect();
  // A server that goes away between two statements is found out by the next one; unheard, it would end the process.
  const ignore = () => {};
  client.on('error', ignore);
  let clean = false;
  try {
    const sql = pgSql(client);
    const { ingest } = await usableRoles(pool, client);
    await sql(`set statement_timeout = 0; set lock_timeout = 0${ingest ? `; set role ${ingest}` : ''}`);
    await sql(`create temporary table staged_events (position bigint, own_id boolean, ${stagedColumns})`);
    const accepted = await stageAll(sql, chunks);
    await sql('analyze staged_events (id, position)');
    const before = await leaveOutRepeats(sql, tenantId);
    await sql('begin');
    await storeStaged(sql, tenantId, before);
    await sql('commit');
    clean = await tidyUp(sql, accepted);
    return accepted;
  } finally {
    client.off('error', ignore);
    // Closing the connection rolls back and drops the temporary table, whatever state they are in.
    client.release(!clean);
  }
}

/**
 * What is left to do for a stream that is stored: nothing that fails here may look like a failure of the stream.
 * @returns whether the connection can serve others
 */
async function tidyUp(sql: Sql, accepted: number): Promise<boolean> {
  try {
    await sql('drop table staged_events; reset role');
    // Autovacuum comes a minute later; until then the planner would know nothing of these rows.
    if (accepted >= analyzeFrom) await sql('analyze events');
    await sql('reset statement_timeout; reset lock_timeout');
    return true;
  } catch {
    return false;
  }
}

const stageRows = `insert into staged_events
  select * from json_to_recordset($1::json) as rows (position bigint, own_id boolean, ${stagedColumns})`;

/** The next chunk is read and checked while PostgreSQL takes the one before. */
async function stageAll(sql: Sql, chunks: AsyncIterable<readonly NewEvent[]>): Promise<number> {
  let accepted = 0;
  let staging: Promise<unknown> = Promise.resolve();
  try {
    for await (const chunk of chunks) {
      const rows = stagedRows(chunk, accepted + 1);
      accepted += chunk.length;
      await staging;
      staging = sql(stageRows, [rows]);
      // It is awaited below; without this, a failure meanwhile would count as unhandled.
      staging.catch(() => {});
    }
  } finally {
    await staging.catch(() => {});
  }
  await staging;
  return accepted;
}

/**
 * What takes long is done before the lock: the second of one id within the stream goes, and those stored already.
 * @returns the head up to which stored events have been looked at
 */
async function leaveOutRepeats(sql: Sql, tenantId: string): Promise<number> {
  const [own] = await sql('select from staged_events where own_id limit 1');
  const [head] = await sql<{ sequence_number: string }>(
    'select sequence_number from chain_heads where tenant_id = $1::uuid',
    [tenantId],
  );
  const before = Number(head?.sequence_number ?? 0);
  if (!own) return before;
  await sql(
    `delete from staged_events where position in (
       select position from (
         select position, row_number() over (partition by id order by position) as nth from staged_events where own_id
       ) as numbered where nth > 1)`,
  );
  await leaveOutStored(sql, tenantId, 0);
  return before;
}

const leaveOutStored = (sql: Sql, tenantId: string, afterSequence: number) =>
  sql(
    `delete from staged_events using events
     where own_id and events.tenant_id = $1::uuid and events.id = staged_events.id::uuid and sequence_number > $2::bigint`,
    [tenantId, afterSequence],
  );

const storeAllStaged = chainAndStore(
  `(select row_number() over (order by position) as position, ${stagedNames} from staged_events) as staged`,
);

async function storeStaged(sql: Sql, tenantId: string, before: number): Promise<void> {
  const head = await lockChainHead(sql, tenantId);
  // Those that were stored between the look above and the lock.
  if (head.sequenceNumber > before) await leaveOutStored(sql, tenantId, before);
  await sql(storeAllStaged, [tenantId, head.sequenceNumber, head.hash]);
}

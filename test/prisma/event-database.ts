import type { NewEvent } from '../../core/events/event-columns.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import type { ChainEnd } from '../../core/evidence/chain-link.ts';
import { inTransaction, openDatabase, pgSql } from '../../prisma/client.ts';
import { appendEvents, type StoredEvent } from '../../prisma/events/append.ts';
import { createTenant } from '../../prisma/tenants.ts';
import { createTestDatabase } from '../database.ts';

/** A valid event; `members` are added to an action. */
export function newEvent(members: object = {}): NewEvent {
  const read = readNewEvent({ action: 'test.happened', ...members });
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return read.event;
}

/** A database of the test file's own, and what tests of events ask of it. */
export async function openEventDatabase() {
  const testDatabase = await createTestDatabase();
  const database = openDatabase(testDatabase.url);
  const sql = pgSql(database.pool);
  return {
    url: testDatabase.url,
    database,
    sql,
    async newTenant(): Promise<string> {
      const { id } = await createTenant(database.prisma, { name: 'Test', plan: 'pro', region: 'eu', externalId: null });
      return id;
    },
    append: (tenantId: string, events: readonly NewEvent[]): Promise<StoredEvent[]> =>
      inTransaction(database.pool, (inside) => appendEvents(inside, tenantId, events)),
    async head(tenantId: string): Promise<ChainEnd> {
      const [row] = await sql<{ sequence_number: string; hash: string }>(
        `select sequence_number, encode(hash, 'hex') as hash from chain_heads where tenant_id = $1`,
        [tenantId],
      );
      return { sequenceNumber: Number(row!.sequence_number), hash: row!.hash };
    },
    /** The actions of the tenant's events, in order of their numbers. */
    async actions(tenantId: string): Promise<string[]> {
      const rows = await sql<{ action: string }>(
        'select action from events where tenant_id = $1 order by sequence_number',
        [tenantId],
      );
      return rows.map((row) => row.action);
    },
    /** Ends when some session of this database waits for a lock. */
    async untilLockIsAwaited(): Promise<void> {
      const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      while ((await sql(waiting)).length === 0);
    },
    async close(): Promise<void> {
      await database.close();
      await testDatabase.drop();
    },
  };
}

export type EventDatabase = Awaited<ReturnType<typeof openEventDatabase>>;

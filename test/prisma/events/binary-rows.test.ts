import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../core/events/event-columns.ts';
import { inTransaction, pgSql, type Sql } from '../../../prisma/client.ts';
import { appendEvents } from '../../../prisma/events/append.ts';
import { newEventNames } from '../../../prisma/events/columns.ts';
import { verifyChain } from '../../../prisma/events/verify.ts';
import { arbitraryEvent } from '../../core/events/arbitrary-event.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

/** The same connection, from which nothing is copied. */
const withoutCopy = (sql: Sql): Sql => ((text: string, values?: unknown[]) => sql(text, values)) as Sql;

const rowsOf = async (tenantId: string): Promise<string[]> => {
  const rows = await pgSql(events.database.pool)<{ row: string }>(
    `select row_to_json(stored)::text as row
     from (select sequence_number, ${newEventNames}, seed, previous_hash, hash from events where tenant_id = $1) as stored
     order by sequence_number`,
    [tenantId],
  );
  return rows.map(({ row }) => row);
};

/** Appends the events to two new tenants, by COPY and by INSERT, and gives both. */
async function appendBothWays(given: NewEvent[]): Promise<{ copied: string; inserted: string }> {
  const [copied, inserted] = [await events.newTenant(), await events.newTenant()];
  const copies: string[] = [];
  await inTransaction(events.database.pool, (sql) => {
    const { copyIn } = sql;
    const watched = Object.assign(withoutCopy(sql), {
      copyIn: (statement: string, bytes: Buffer) => {
        copies.push(statement);
        return copyIn!(statement, bytes);
      },
    });
    return appendEvents(watched, copied, given);
  });
  expect(copies).toHaveLength(1);
  await inTransaction(events.database.pool, (sql) => appendEvents(withoutCopy(sql), inserted, given));
  return { copied, inserted };
}

describe('events that are copied', () => {
  it('are stored as inserted ones are, whatever they hold', async () => {
    const given = fc.sample(arbitraryEvent, { numRuns: 500, seed: 1 }).map((event) => newEvent(event));
    const { copied, inserted } = await appendBothWays(given);
    const rows = await rowsOf(copied);
    expect(rows).toHaveLength(500);
    expect(rows).toEqual(await rowsOf(inserted));
    expect(await events.head(copied)).toEqual(await events.head(inserted));
    expect(await verifyChain(events.sql, copied)).toMatchObject({ status: 'valid', events_checked: 500 });
  });

  it.each([
    ['the first microsecond that is taken', '0001-01-01T00:00:00.000001Z'],
    ['one before 1970', '1969-12-31T23:59:59.999999Z'],
    ['one before 2000, where PostgreSQL counts from', '1999-12-31T23:59:59.000001Z'],
    ['the last microsecond that is taken', '9999-12-31T23:59:59.999999Z'],
  ])('keep their time to the microsecond: %s', async (_name, occurred_at) => {
    const { copied } = await appendBothWays(Array.from({ length: 20 }, () => newEvent({ occurred_at })));
    const [row] = await pgSql(events.database.pool)(
      `select distinct to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
       from events where tenant_id = $1`,
      [copied],
    );
    expect(row).toEqual({ at: occurred_at });
  });

  it('leave no mark when the transaction is rolled back behind them', async () => {
    const tenant = await events.newTenant();
    const spoiled = inTransaction(events.database.pool, async (sql) => {
      await appendEvents(
        sql,
        tenant,
        Array.from({ length: 20 }, () => newEvent()),
      );
      throw new Error('spoiled');
    });
    await expect(spoiled).rejects.toThrow('spoiled');
    expect(await rowsOf(tenant)).toEqual([]);
    expect(await events.append(tenant, [newEvent()])).toMatchObject([{ sequenceNumber: 1 }]);
  });

  it('are refused as inserted ones are, and leave the connection to others', async () => {
    const tenant = await events.newTenant();
    const event = newEvent();
    await events.append(tenant, [event]);
    // As if two servers had made up the same id, which no check looks for.
    const given = [event, ...Array.from({ length: 20 }, () => newEvent())];
    await expect(events.append(tenant, given)).rejects.toMatchObject({ code: '23505' });
    expect(await events.append(tenant, [newEvent()])).toMatchObject([{ sequenceNumber: 2 }]);
  });
});

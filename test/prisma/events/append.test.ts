import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../core/ids.ts';
import { inTransaction, pgSql, prismaSql } from '../../../prisma/client.ts';
import { appendEvents, lockChainHead, type StoredEvent } from '../../../prisma/events/append.ts';
import { verifyChain } from '../../../prisma/events/verify.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

const numbers = (stored: readonly StoredEvent[]) => stored.map((each) => each.sequenceNumber);

describe('appendEvents', () => {
  it('numbers from 1, chains, and moves the head, through pg and Prisma alike', async () => {
    const tenant = await events.newTenant();
    const first = await events.append(tenant, [newEvent(), newEvent()]);
    const second = await events.database.prisma.$transaction((transaction) =>
      appendEvents(prismaSql(transaction), tenant, [newEvent(), newEvent()]),
    );
    const all = [...first, ...second];
    expect(numbers(all)).toEqual([1, 2, 3, 4]);
    expect(all.map((each) => each.previousHash)).toEqual(['0'.repeat(64), ...all.slice(0, 3).map((each) => each.hash)]);
    expect(await events.head(tenant)).toEqual({ sequenceNumber: 4, hash: all[3]!.hash });
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'valid', events_checked: 4 });
  });

  it('answers a repeat with what is stored, in its place of the order given', async () => {
    const tenant = await events.newTenant();
    const id = randomUUID();
    const [first] = await events.append(tenant, [newEvent({ id })]);
    const stored = await events.append(tenant, [newEvent(), newEvent({ id, action: 'other' }), newEvent()]);
    expect(stored[1]).toEqual({ ...first, repeated: true });
    expect(numbers(stored)).toEqual([2, 1, 3]);
    expect(stored.map((each) => each.repeated)).toEqual([false, true, false]);
  });

  it('stores the first of one id within a call', async () => {
    const tenant = await events.newTenant();
    const id = randomUUID();
    const stored = await events.append(tenant, [newEvent({ id, action: 'first' }), newEvent({ id, action: 'second' })]);
    expect(stored[1]).toEqual({ ...stored[0], repeated: true });
    expect(await events.actions(tenant)).toEqual(['first']);
  });

  it('leaves no mark when everything is a repeat, or there is nothing', async () => {
    const tenant = await events.newTenant();
    const event = newEvent({ id: randomUUID() });
    await events.append(tenant, [event]);
    const head = await events.head(tenant);
    await events.append(tenant, [event, event]);
    await events.append(tenant, []);
    expect(await events.head(tenant)).toEqual(head);
  });

  it('lets two tenants have an event of the same id', async () => {
    const [one, other] = [await events.newTenant(), await events.newTenant()];
    const event = newEvent({ id: randomUUID() });
    expect(await events.append(one, [event])).toEqual(await events.append(other, [event]));
  });

  it('leaves no gap when a transaction is rolled back and the append starts again', async () => {
    const tenant = await events.newTenant();
    const given = [newEvent(), newEvent()];
    await events.append(tenant, [newEvent()]);
    const spoiled = inTransaction(events.database.pool, async (sql) => {
      await appendEvents(sql, tenant, given);
      throw new Error('spoiled');
    });
    await expect(spoiled).rejects.toThrow('spoiled');
    expect(numbers(await events.append(tenant, given))).toEqual([2, 3]);
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'valid', events_checked: 3 });
  });

  it('appends twice in one transaction', async () => {
    const tenant = await events.newTenant();
    const stored = await inTransaction(events.database.pool, async (sql) => [
      ...(await appendEvents(sql, tenant, [newEvent()])),
      ...(await appendEvents(sql, tenant, [newEvent()])),
    ]);
    expect(numbers(stored)).toEqual([1, 2]);
  });

  it('finds a repeat that another connection stored while this one waited for the lock', async () => {
    const tenant = await events.newTenant();
    const event = newEvent({ id: randomUUID() });
    const first = await events.database.pool.connect();
    await first.query('begin');
    await appendEvents(pgSql(first), tenant, [event]);
    const second = events.append(tenant, [event]);
    await events.untilLockIsAwaited();
    await first.query('commit');
    first.release();
    expect(await second).toMatchObject([{ sequenceNumber: 1, repeated: true }]);
  });

  it('keeps 64 writers at once in one gapless chain', async () => {
    const tenant = await events.newTenant();
    const stored = await Promise.all(
      Array.from({ length: 64 }, (_, i) =>
        events.append(
          tenant,
          Array.from({ length: (i % 5) + 1 }, () => newEvent()),
        ),
      ),
    );
    const sorted = numbers(stored.flat()).sort((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: sorted.length }, (_, i) => i + 1));
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'valid', events_checked: sorted.length });
  });

  it('refuses a tenant that does not exist', async () => {
    await expect(events.append(newId(), [newEvent()])).rejects.toMatchObject({ type: 'not_found' });
    await expect(lockChainHead(events.sql, newId())).rejects.toMatchObject({ type: 'not_found' });
  });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NewEvent } from '../../../core/events/event-columns.ts';
import { streamAppender } from '../../../prisma/events/append-stream.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

it('A stream that finds no place is told so, and the next one is taken when others have ended', async () => {
  const append = streamAppender(events.database.pool, { waitMs: 200 });
  const begun: Promise<void>[] = [];
  const end = Promise.withResolvers<void>();
  /** One whose client takes its time between its two chunks. */
  const slow = async (tenant: string) => {
    const hasBegun = Promise.withResolvers<void>();
    begun.push(hasBegun.promise);
    async function* chunks(): AsyncGenerator<readonly NewEvent[]> {
      yield [newEvent()];
      hasBegun.resolve();
      await end.promise;
      yield [newEvent()];
    }
    return append(tenant, chunks());
  };
  async function* quick(): AsyncGenerator<readonly NewEvent[]> {
    yield [newEvent()];
  }
  const [one, other, third] = await Promise.all([events.newTenant(), events.newTenant(), events.newTenant()]);
  const underWay = [one, one, other, other].map(slow);
  await Promise.all(begun);
  const refusal = await append(third, quick()).catch((error) => error);
  expect(refusal).toMatchObject({ type: 'unavailable', headers: { 'Retry-After': '5' } });
  expect(await events.actions(third)).toEqual([]);
  end.resolve();
  expect(await Promise.all(underWay)).toEqual([2, 2, 2, 2]);
  expect(await append(third, quick())).toBe(1);
});

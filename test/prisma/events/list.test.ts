import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Filter } from '../../../core/events/filter.ts';
import type { Sort } from '../../../core/exports/exports.ts';
import { listEvents, listStatement, newestFirst, type PagedEvent } from '../../../prisma/events/list.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

const sorts = {
  newestFirst,
  oldestFirst: [{ field: 'occurred_at', direction: 'asc' }],
} satisfies Record<string, Sort>;

type Walk = { sort: Sort; limit: number; filter?: Filter };

/** The sequence numbers of all pages, one after the other. */
async function walk(tenant: string, { sort, limit, filter = {} }: Walk): Promise<number[]> {
  const numbers: number[] = [];
  let page: PagedEvent[] | undefined;
  do {
    page = await listEvents(events.sql, tenant, { filter, sort, limit, after: numbers.at(-1) });
    numbers.push(...page!.map((event) => event.sequenceNumber));
  } while (page!.length === limit);
  return numbers;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

describe('listEvents', () => {
  it('gives each of 10,000 events of one millisecond once, in either direction', async () => {
    const tenant = await events.newTenant();
    // Ten events share each microsecond, so that only the sequence number tells them apart.
    const given = upTo(10_000).map((n) =>
      newEvent({ occurred_at: `2026-01-01T00:00:00.123${String((n * 7919) % 1000).padStart(3, '0')}Z` }),
    );
    await events.append(tenant, given);
    const sorted = upTo(10_000).sort((a, b) =>
      given[a - 1]!.occurred_at < given[b - 1]!.occurred_at ||
      (given[a - 1]!.occurred_at === given[b - 1]!.occurred_at && a < b)
        ? -1
        : 1,
    );
    expect(await walk(tenant, { sort: sorts.oldestFirst, limit: 997 })).toEqual(sorted);
    expect(await walk(tenant, { sort: sorts.newestFirst, limit: 1000 })).toEqual(sorted.toReversed());
    const filter = { through_sequence: 300 };
    expect(await walk(tenant, { sort: sorts.newestFirst, limit: 1, filter })).toEqual(
      sorted.filter((n) => n <= 300).toReversed(),
    );
  }, 60_000);

  it('shows no event twice and misses none of those that stood when others arrive between two pages', async () => {
    const tenant = await events.newTenant();
    await events.append(
      tenant,
      upTo(10).map(() => newEvent()),
    );
    const first = await listEvents(events.sql, tenant, { filter: {}, sort: newestFirst, limit: 5 });
    await events.append(
      tenant,
      upTo(5).map(() => newEvent()),
    );
    const after = first!.at(-1)!.sequenceNumber;
    const second = await listEvents(events.sql, tenant, { filter: {}, sort: newestFirst, limit: 100, after });
    expect([...first!, ...second!].map((event) => event.sequenceNumber)).toEqual(upTo(10).toReversed());
  });

  it.each([
    'severity',
    'action',
    'actor.name',
    'target',
    'metadata.n',
    'metadata',
    'hash',
    'id',
    'sequence_number',
    'received_at',
    'description',
    'actor',
  ])('pages by %s in both directions, rows without a value included', async (field) => {
    const tenant = await events.newTenant();
    const given = upTo(23).map((n) =>
      newEvent({
        action: `a${n % 3}`,
        severity: ['Info', 'Error', 'High'][n % 3],
        actor: n % 4 === 0 ? null : { name: ['b', 'A', 'é', ''][n % 4], id: `${n % 2}` },
        target: n % 2 === 0 ? null : { type: 't', id: String(n % 5) },
        description: n % 3 === 0 ? null : `d${n % 2}`,
        metadata: n % 5 === 0 ? {} : { n: [10, 'x', null, 9][n % 4] },
      }),
    );
    await events.append(tenant, given);
    for (const direction of ['asc', 'desc'] as const) {
      const sort: Sort = [{ field, direction }];
      const whole = await walk(tenant, { sort, limit: 100 });
      expect(whole.toSorted((a, b) => a - b)).toEqual(upTo(23));
      expect(await walk(tenant, { sort, limit: 2 })).toEqual(whole);
    }
  });

  it('reads a page of the default sort as a range of the index, whichever page it is', async () => {
    const tenant = await events.newTenant();
    await events.append(
      tenant,
      upTo(2000).map(() => newEvent()),
    );
    await events.sql('analyze events');
    for (const sort of Object.values(sorts)) {
      for (const position of [[], ['2026-11-22 10:00:00.123456+00', '1000']]) {
        const { text, values } = listStatement(tenant, { filter: {}, sort, limit: 25 }, position);
        const plan = await events.sql<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
        const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
        expect(lines).toMatch(/Index Scan (Backward )?using events_by_time/);
        expect(lines).not.toMatch(/Sort|Filter/);
        if (position.length > 0) expect(lines).toMatch(/Index Cond: .*ROW\(occurred_at, sequence_number\) [<>] ROW\(/);
      }
    }
  });

  it('answers nothing for the place of an event that the tenant does not have', async () => {
    const tenant = await events.newTenant();
    expect(await listEvents(events.sql, tenant, { filter: {}, sort: newestFirst, limit: 5, after: 1 })).toBeUndefined();
  });
});

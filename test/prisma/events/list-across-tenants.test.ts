import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase, pgSql } from '../../../prisma/client.ts';
import { countAcross, eventsAt, placesAcross, placesStatement } from '../../../prisma/events/list-across-tenants.ts';
import { createTenant } from '../../../prisma/tenants.ts';
import { addManyEvents } from '../../add-events.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';

const eventsEach = 20_000;
let testDatabase: TestDatabase;
let database: Database;
const tenantIds: string[] = [];
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url);
  for (const name of ['one', 'other']) {
    const { id } = await createTenant(database.prisma, { name, plan: 'pro', region: 'eu', externalId: name });
    await addManyEvents(database, id, { count: eventsEach, noiseBytes: 0 });
    tenantIds.push(id);
  }
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const newest = [{ field: 'occurred_at', direction: 'desc' as const }];
const planOf = async (query: Parameters<typeof placesStatement>[0]) => {
  const { text, values } = placesStatement(query);
  const { rows } = await database.pool.query(`explain (analyze, buffers, format json) ${text}`, values);
  return JSON.stringify(rows);
};

it('pages through the events of several tenants, each once, in one order', async () => {
  const sql = pgSql(database.pool);
  const seen: string[] = [];
  for (let offset = 0; offset < 200; offset += 50) {
    const places = await placesAcross(sql, { tenantIds, filter: {}, sort: newest, offset, count: 50 });
    const { events } = await eventsAt(sql, places, Number.MAX_SAFE_INTEGER);
    seen.push(...events.map(({ tenantId, json }) => `${JSON.parse(json).occurred_at} ${tenantId}`));
  }
  expect(new Set(seen).size).toBe(200);
  expect(seen.map((each) => each.slice(0, 27))).toEqual(
    seen
      .map((each) => each.slice(0, 27))
      .toSorted()
      .toReversed(),
  );
});

it('counts all of them from the ends of their chains, and others by what matches', async () => {
  const sql = pgSql(database.pool);
  expect(await countAcross(sql, { tenantIds, filter: {} })).toBe(2 * eventsEach);
  const filter = { to: '2025-01-01T00:01:40Z' };
  expect(await countAcross(sql, { tenantIds, filter })).toBe(200);
  expect(await countAcross(sql, { tenantIds: [], filter: {} })).toBe(0);
});

it('reads no more than the page from the index of times', async () => {
  const plan = await planOf({ tenantIds, filter: {}, sort: newest, offset: 0, count: 200 });
  expect(plan).toContain('events_by_time');
  expect(plan).not.toContain('Seq Scan');
  // 200 of each tenant are looked at, and 200 are printed.
  expect(
    Math.max(...[...plan.matchAll(/"Actual Rows":([\d.]+)/g)].map((match) => Number(match[1]))),
  ).toBeLessThanOrEqual(400);
});

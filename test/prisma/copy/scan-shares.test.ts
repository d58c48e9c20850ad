import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../../prisma/client.ts';
import type { Scans } from '../../../prisma/copy/copy-options.ts';
import { streamScans } from '../../../prisma/copy/scan-shares.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url, { scanConnections: 8 });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

/** The end of this turn of the event loop, and of some more: whatever can get a connection has one. */
const settled = async () => {
  for (let i = 0; i < 3; i++) await database.scans.query('select 1');
};

describe('The share of the scans that streams have', () => {
  const stop = new AbortController();
  const connected: string[] = [];
  const held: { tenant: string; release(): void }[] = [];
  const take = (scans: Scans, tenant: string) =>
    scans.connect().then((client) => {
      connected.push(tenant);
      held.push({ tenant, release: () => client.release() });
    });
  const release = (tenant: string) =>
    held
      .splice(
        held.findIndex((each) => each.tenant === tenant),
        1,
      )[0]!
      .release();
  afterEach(() => {
    for (const each of held.splice(0)) each.release();
    connected.length = 0;
  });

  it('is half of the pool, half of that for one tenant, and goes on to those who wait', async () => {
    const scansFor = streamScans(database.scans);
    for (let i = 0; i < 3; i++) void take(scansFor('a', stop.signal), 'a');
    for (let i = 0; i < 3; i++) void take(scansFor('b', stop.signal), 'b');
    await expect.poll(() => connected.toSorted()).toEqual(['a', 'a', 'b', 'b']);
    await settled();
    expect(connected).toHaveLength(4);
    release('a');
    await expect.poll(() => connected.filter((each) => each === 'a')).toHaveLength(3);
    expect(connected.filter((each) => each === 'b')).toHaveLength(2);
    release('b');
    await expect.poll(() => connected).toHaveLength(6);
  });

  it('is not waited for by those who are stopped', async () => {
    const scansFor = streamScans(database.scans);
    for (let i = 0; i < 2; i++) await take(scansFor('a', stop.signal), 'a');
    const gone = new AbortController();
    const waiting = scansFor('a', gone.signal).connect();
    const behind = take(scansFor('a', stop.signal), 'a');
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    release('a');
    await behind;
    expect(connected).toHaveLength(3);
  });

  it('is not waited for by those who were stopped before they asked', async () => {
    const scansFor = streamScans(database.scans);
    for (let i = 0; i < 2; i++) await take(scansFor('a', stop.signal), 'a');
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(scansFor('a', gone).connect()).rejects.toThrow('gone');
    await expect(scansFor('a', gone).query('select 1')).rejects.toThrow('gone');
  });

  it('ends a query with its connection when its stream is stopped', async () => {
    const gone = new AbortController();
    const asleep = async () =>
      (await database.pool.query("select from pg_stat_activity where query = 'select pg_sleep(62)'")).rows.length;
    const query = streamScans(database.scans)('a', gone.signal).query('select pg_sleep(62)');
    query.catch(() => {});
    await expect.poll(asleep).toBe(1);
    gone.abort(new Error('gone'));
    await expect(query).rejects.toThrow('gone');
    await expect.poll(asleep, { timeout: 5_000 }).toBe(0);
    expect(await streamScans(database.scans)('a', stop.signal).query('select 1 as one')).toMatchObject({
      rows: [{ one: 1 }],
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentOf, exportRequestSchema } from '../../../core/exports/exports.ts';
import { type Database, openDatabase, type Sql } from '../../../prisma/client.ts';
import { exportScans } from '../../../prisma/copy/scan-shares.ts';
import { countErasure } from '../../../prisma/erasures/create.ts';
import { appendEvents } from '../../../prisma/events/append.ts';
import { streamAppender } from '../../../prisma/events/append-stream.ts';
import { countFigures, countRecent } from '../../../prisma/events/counts.ts';
import { findEvents, listEvents, newestFirst } from '../../../prisma/events/list.ts';
import { type AcrossQuery, countAcross, eventsAt, placesAcross } from '../../../prisma/events/list-across-tenants.ts';
import { openReading } from '../../../prisma/events/reading.ts';
import { verifyChain } from '../../../prisma/events/verify.ts';
import { appendAsIngest, readAsTenant, tenantSql } from '../../../prisma/isolation/as-role.ts';
import { asTenant } from '../../../prisma/isolation/as-tenant.ts';
import { countRows } from '../../../prisma/rows/count.ts';
import { firstCells, firstLines } from '../../../prisma/rows/preview.ts';
import { type ReadChunk, readSegments } from '../../../prisma/rows/read-segments.ts';
import { streamReader } from '../../../prisma/rows/read-stream.ts';
import type { ExportRows } from '../../../prisma/rows/segments.ts';
import { dropRoles } from '../../database.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';
import { forgetTenant } from './forget-tenant.ts';

const eventsEach = 12;
const signal = new AbortController().signal;

let db: EventDatabase;
let ours: string;
let sister: string;
let foreign: string;
beforeAll(async () => {
  db = await openEventDatabase();
  [ours, sister, foreign] = [await db.newTenant(), await db.newTenant(), await db.newTenant()];
  for (const [tenant, name] of [
    [ours, 'ours'],
    [sister, 'sister'],
    [foreign, 'foreign'],
  ] as const) {
    const at = (index: number) => `2026-01-01T00:00:${String(index + 10)}Z`;
    const events = Array.from({ length: eventsEach }, (_, index) =>
      newEvent({ action: `${name}.secret`, target: { type: name, id: `${name}-${index}` }, occurred_at: at(index) }),
    );
    await db.append(tenant, events);
  }
});
afterAll(() => db.close());

const rowsOf = (tenantId: string, request: object = {}): ExportRows => ({
  tenantId,
  asOfSequence: eventsEach,
  segmentRows: 5,
  content: contentOf(exportRequestSchema.parse({ format: 'csv', ...request })),
});
const filtered = { filter: { action: '*.secret', from: '2026-01-01T00:00:00Z' } };

async function textOf(chunks: AsyncGenerator<ReadChunk>): Promise<string> {
  const bytes: Buffer[] = [];
  for await (const chunk of chunks) bytes.push(Buffer.from(chunk.bytes));
  return Buffer.concat(bytes).toString();
}

const shares = { LOGFERRY_EXPORT_CONCURRENCY: 1, LOGFERRY_EXPORT_READERS: 1 };
const segments = ({ scans }: Database, request: object) =>
  textOf(
    readSegments(exportScans(scans, shares)('run', signal), rowsOf(ours, request), {
      from: { after: null, rows: 0 },
      readers: 2,
      signal,
    }),
  );
const list = ({ pool }: Database, after?: number) =>
  openReading(pool)(ours, {}, (sql) => listEvents(sql, ours, { filter: {}, sort: newestFirst, limit: 100, after }));
const first = { count: 100, limitMs: 20_000 };
const across = { filter: { action: '*.secret' }, sort: newestFirst, offset: 0, count: 100 };
const span = { from: Date.UTC(2025, 11, 31), to: Date.UTC(2026, 0, 3), step: 86_400_000, limit: 10 };

const listAcross = async (sql: Sql, query: AcrossQuery) =>
  (await eventsAt(sql, await placesAcross(sql, query), 1_000_000)).events;

/** Every way by which events of tenants are read for somebody. */
const reads: Record<string, (database: Database) => Promise<unknown>> = {
  'a list': (database) => list(database),
  'the next page of a list': (database) => list(database, 6),
  'events by their ids': async ({ pool }) => {
    const rows = await db.sql<{ id: string }>('select id from events order by id');
    const found = await findEvents(
      tenantSql(pool, ours),
      ours,
      rows.map(({ id }) => id),
    );
    return [...found.values()].map(({ json }) => json).sort();
  },
  'the verification of a log': ({ scans }) => verifyChain(tenantSql(scans, ours), ours, { length: 5 }),
  'the counts of one tenant': ({ pool }) =>
    countRecent(tenantSql(pool, ours), ours, { today: span.from, week: span.from }),
  'a list of several tenants': ({ pool }) =>
    openReading(pool)([ours, sister], {}, async (sql) => {
      const tenantIds = [ours, sister];
      return [await listAcross(sql, { ...across, tenantIds }), await countAcross(sql, { ...across, tenantIds })];
    }),
  'a list of several tenants that has one': ({ pool }) =>
    openReading(pool)([ours], {}, (sql) => listAcross(sql, { ...across, tenantIds: [ours] })),
  'the number of all events of several tenants': ({ pool }) =>
    countAcross(tenantSql(pool, [ours, sister]), { tenantIds: [ours, sister], filter: {} }),
  'figures of several tenants': ({ pool }) => countFigures(tenantSql(pool, [ours, sister]), [ours, sister], span),
  'an export by time': (database) => segments(database, { sort: [{ field: 'occurred_at' }], ...filtered }),
  'an export by number': (database) => segments(database, { sort: [{ field: 'sequence_number' }] }),
  'an export that is sorted': (database) => segments(database, { sort: [{ field: 'action' }] }),
  'an export of what is new': (database) => segments(database, { filter: { after_sequence: 3 } }),
  'a stream': ({ scans }) => textOf(streamReader({ scans })(rowsOf(ours), signal)),
  'the first rows of a file': async (database) => (await firstLines(database, rowsOf(ours), first)).bytes.toString(),
  'the first cells': (database) => firstCells(database, rowsOf(ours), first),
  'a count of rows': (database) => countRows(database, rowsOf(ours, filtered), 20_000),
  'a count of what would be erased': (database) => countErasure(database, ours, filtered),
  'an estimate of rows': async (database) => (await countRows(database, rowsOf(ours, filtered), 0.001)).rows,
};

/** What it gives, and how many statements have forgotten whose events they ask for. */
async function forgetful(read: (typeof reads)[string]): Promise<{ given: unknown; changed: number }> {
  const database = openDatabase(db.url);
  const counters = [database.pool, database.scans].map(forgetTenant);
  try {
    // What a broken sum of the mutated statement says is an answer as well.
    const given = await read(database).catch((error: Error) => error.message);
    return { given, changed: counters.reduce((sum, count) => sum + count(), 0) };
  } finally {
    await database.close();
  }
}

const names = Object.keys(reads);

describe('Without its WHERE for the tenant', () => {
  it.each(names)('%s gives what it gives with it, and nothing of others', async (name) => {
    const expected = await reads[name]!(db.database);
    const { given, changed } = await forgetful(reads[name]!);
    expect(changed).toBeGreaterThan(0);
    expect(JSON.stringify(given)).not.toContain('foreign');
    // Lists of several tenants ask for each tenant in turn: what they forget, they then give once for each.
    if (!/several tenants/.test(name)) expect(given).toEqual(expected);
  });
});

describe('A connection that others had before', () => {
  let database: Database;
  beforeAll(() => {
    database = openDatabase(db.url, { scanConnections: 1 });
  });
  afterAll(() => database.close());

  const who = 'select distinct tenant_id as id from events';
  const seen = async (text: string) =>
    ([await database.scans.query<{ id: string }>(text)].flat().at(-1)?.rows ?? []).map(({ id }) => id);

  it('sees the events of the tenant that is set, then of the next, and none where none is', async () => {
    expect(await seen(`${asTenant(ours)}${who}`)).toEqual([ours]);
    expect(await seen(`${asTenant(foreign)}${who}`)).toEqual([foreign]);
    expect(await seen(who)).toEqual([]);
    expect(await seen(`select tenant_id as id from chain_heads`)).toEqual([]);
    expect(database.scans.totalCount).toBe(1);
  });

  it('sees none after an error, nor after a transaction that was rolled back', async () => {
    await expect(seen(`${asTenant(ours)}select 1 / 0`)).rejects.toThrow(/division by zero/);
    expect(await seen(who)).toEqual([]);
    const client = await database.scans.connect();
    await client.query(`begin; ${asTenant(ours)}`);
    expect((await client.query(who)).rowCount).toBe(1);
    await client.query('rollback');
    expect((await client.query(who)).rowCount).toBe(0);
    client.release();
    expect(database.scans.totalCount).toBe(1);
  });

  it('of requests is the role of the URL again, with no tenant, whatever became of the reading', async () => {
    const state = `select current_user = session_user as own, current_setting('logferry.tenant', true) as tenant`;
    const read = (work: (sql: Sql) => Promise<unknown>) => readAsTenant(database.pool, { tenants: ours }, work);
    expect(await read((sql) => sql(state))).toEqual([{ own: false, tenant: ours }]);
    await expect(read((sql) => sql('select 1 / 0'))).rejects.toThrow(/division by zero/);
    await expect(read((sql) => sql('delete from events'))).rejects.toThrow(/read-only|permission denied/);
    const { rows } = await database.pool.query(state);
    expect([
      { own: true, tenant: '' },
      { own: true, tenant: null },
    ]).toContainEqual(rows[0]);
    expect(database.pool.totalCount).toBe(1);
  });
});

describe('The role that reads', () => {
  it.each(['exports', 'api_keys', 'webhooks', 'tenants', 'settings'])('may not read %s', async (table) => {
    const read = tenantSql(db.database.pool, ours)(`select * from ${table}`);
    await expect(read).rejects.toThrow(/permission denied/);
  });
});

describe('The role that writes events', () => {
  const asIngest = (work: (sql: Sql) => Promise<unknown>) => appendAsIngest(db.database.pool, work);

  it('appends them: one, many by COPY, those that are repeated, and a stream', async () => {
    const tenant = await db.newTenant();
    const many = Array.from({ length: 30 }, () => newEvent());
    const own = newEvent({ id: '018f0000-0000-7000-8000-000000000001' });
    const append = (events: Parameters<typeof appendEvents>[2]) =>
      asIngest(async (sql) => {
        expect(await sql('select current_user::text as name')).toEqual([{ name: expect.stringMatching(/ingest/) }]);
        return appendEvents(sql, tenant, events);
      });
    await append([newEvent()]);
    await append(many);
    await append([own]);
    expect(await append([own])).toMatchObject([{ repeated: true }]);
    async function* chunks() {
      yield [newEvent(), own];
      yield [newEvent()];
    }
    await streamAppender(db.database.pool)(tenant, chunks());
    expect(await verifyChain(db.sql, tenant)).toMatchObject({ status: 'valid', events_checked: 34 });
    expect(await db.sql('select current_user = session_user as own')).toEqual([{ own: true }]);
  });

  it.each([
    'select action from events',
    'select * from events',
    'delete from events',
    'update events set action = id::text',
    'select from exports',
    'select from api_keys',
    'delete from chain_heads',
    'insert into chain_heads values (gen_random_uuid(), 0, null)',
  ])('may not: %s', async (text) => {
    await expect(asIngest((sql) => sql(text))).rejects.toThrow(/permission denied/);
  });
});

// The last, as it takes the roles away.
describe('Where there are no roles', () => {
  it('each read goes on as the role of the URL, and what has forgotten its WHERE gives what is of others', async () => {
    const name = new URL(db.url).pathname.slice(1);
    const expected = Object.fromEntries(
      await Promise.all(names.map(async (each) => [each, await reads[each]!(db.database)] as const)),
    );
    for (const kind of ['reader', 'lists', 'ingest']) await db.sql(`drop owned by "logferry_${kind}_${name}"`);
    await db.sql(dropRoles(name));
    const plain = openDatabase(db.url);
    for (const each of names) {
      expect(await reads[each]!(plain), each).toEqual(expected[each]);
      const { given } = await forgetful(reads[each]!);
      expect(given, each).not.toEqual(expected[each]);
    }
    await plain.close();
  });
});

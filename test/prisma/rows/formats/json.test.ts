import { afterAll, beforeAll, expect, it } from 'vitest';
import { contentOf, exportRequestSchema } from '../../../../core/exports/exports.ts';
import { type Database, inTransaction, openDatabase, pgSql } from '../../../../prisma/client.ts';
import { freshBuffers } from '../../../../prisma/copy/buffers.ts';
import { copyRows } from '../../../../prisma/copy/copy-rows.ts';
import { appendEvents } from '../../../../prisma/events/append.ts';
import { asTenant } from '../../../../prisma/isolation/as-tenant.ts';
import { rowsSql } from '../../../../prisma/rows/rows-sql.ts';
import { wholeEventJson } from '../../../../prisma/sql/event-json.ts';
import { createTenant } from '../../../../prisma/tenants.ts';
import { addEvents } from '../../../add-events.ts';
import { createTestDatabase, type TestDatabase } from '../../../database.ts';
import { erasable, eraseCompartments } from '../../erase-compartments.ts';
import { newEvent } from '../../event-database.ts';

let testDatabase: TestDatabase;
let database: Database;
let tenantId: string;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url);
  const tenant = { name: 'one', plan: 'pro', region: 'eu', externalId: null } as const;
  tenantId = (await createTenant(database.prisma, tenant)).id;
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

async function printed(request: object, bufferBytes = 1024 * 1024): Promise<string[]> {
  const { select, copyOptions, printer } = rowsSql(
    contentOf(exportRequestSchema.parse({ format: 'ndjson', ...request })),
  );
  const rows = `select ${select} from events where tenant_id = '${tenantId}' order by sequence_number`;
  const options = { printer, buffers: freshBuffers(bufferBytes), signal: new AbortController().signal };
  const bytes: Buffer[] = [];
  const statement = `${asTenant(tenantId)}copy (${rows}) to stdout with (${copyOptions})`;
  for await (const chunk of copyRows(database.scans, statement, options)) bytes.push(chunk.bytes);
  return Buffer.concat(bytes).toString().split('\n').slice(0, -1);
}

async function bySql(): Promise<string[]> {
  const text = `select ${wholeEventJson} as json from events where tenant_id = $1 order by sequence_number`;
  return (await database.pool.query<{ json: string }>(text, [tenantId])).rows.map(({ json }) => json);
}

/** All ASCII characters that PostgreSQL can hold, and some of two, three and four bytes. */
const everyCharacter = `${String.fromCharCode(...Array.from({ length: 0x7f }, (_, code) => code + 1))}é€😀\u2028`;
const times = [
  ...['0001-01-01T00:00:00Z', '1969-12-31T23:59:59.999999Z', '1999-12-31T23:59:59.5Z', '2000-01-01T00:00:00.000001Z'],
  ...['2285-06-05T00:00:00.000001Z', '9999-12-31T23:59:59.999999Z', '2026-11-22T10:00:00.1Z', '2026-11-22T10:00:00.2Z'],
];

it('prints whole events as PostgreSQL would: every character, every time, every member missing and not', async () => {
  await addEvents(database, tenantId, [
    {
      action: everyCharacter,
      description: everyCharacter,
      metadata: { [everyCharacter]: [everyCharacter, 1e300, -0.5] },
    },
    {
      action: 'a',
      actor: { id: '', name: '\\' },
      target: { id: '"' },
      context: { ip: '::1' },
      diff: { after: null, before: 0 },
    },
    { action: 'a', actor: { meta: {} }, target: { meta: { a: [] } }, severity: 'Error' },
    ...times.map((occurred_at) => ({ action: 'a', occurred_at })),
  ]);
  const rows = await printed({});
  expect(rows).toEqual(await bySql());
  for (const row of rows) JSON.parse(row);
});

it('prints chosen values the same way', async () => {
  const names = [
    'id',
    'sequence_number',
    'action',
    'severity',
    'actor',
    'actor.meta',
    'target',
    'context.ip',
    'occurred_at',
  ];
  const paths = [...names, 'hash', 'metadata.none', 'diff.before', 'context', 'created_at'];
  const rows = await printed({ properties: paths.map((name) => ({ name })) });
  const at = (event: unknown, path: string) =>
    path.split('.').reduce((value, key) => (value as Record<string, unknown> | null)?.[key] ?? null, event);
  const expected = (await bySql()).map((json) =>
    Object.fromEntries(paths.map((path) => [path, at(JSON.parse(json), path)])),
  );
  expect(rows.map((row) => JSON.parse(row))).toEqual(expected);
});

it('prints events of which something was erased as PostgreSQL would, and as the contract has them', async () => {
  const members = {
    action: 'erased',
    actor: { id: 'u', email: 'a@example.com' },
    target: { type: 'door', id: '7' },
    context: { ip: '::1' },
    metadata: { a: 1 },
  };
  const events = [newEvent(members), newEvent({ ...members, target: { id: '7' } }), newEvent(members)];
  await inTransaction(database.pool, (sql) => appendEvents(sql, tenantId, events));
  const sql = pgSql(database.pool);
  for (const event of events.slice(0, 2)) await eraseCompartments(sql, event, { tenant: tenantId, erasing: erasable });
  await eraseCompartments(sql, events[2]!, { tenant: tenantId, erasing: ['person'] });
  const rows = await printed({ filter: { action: 'erased' } });
  expect(rows).toEqual(await bySql());
  const [whole, untyped, person] = rows.slice(-3).map((row) => JSON.parse(row));
  expect(whole).toMatchObject({
    action: 'erased',
    actor: { id: null, type: null, name: null, email: null, meta: null },
    target: { type: 'door', id: null, meta: null },
    context: { ip: null, user_agent: null },
    description: null,
    diff: null,
    metadata: {},
  });
  expect(Object.keys(whole).at(-1)).toBe('proof');
  expect(Object.keys(whole.proof.salts)).toEqual(['what']);
  expect(Object.keys(whole.proof.erased)).toEqual(erasable);
  expect(untyped.target).toBe(null);
  expect(person.actor).toEqual({ id: 'u', type: null, name: null, email: null, meta: null });
  expect(Object.keys(person.proof.salts)).toEqual(['what', 'actor', 'context', 'target', 'detail']);
  expect(person.proof.erased).toEqual({ person: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const cells = (await printed({ properties: [{ name: 'proof', displayName: 'p' }] })).map((row) => JSON.parse(row).p);
  expect(cells).toEqual((await bySql()).map((row) => JSON.parse(row).proof));
});

it('prints rows that grow, into chunks that are smaller than they are', async () => {
  const control = '\u0001'.repeat(20_000);
  await addEvents(database, tenantId, [
    { action: 'a', description: control },
    { action: 'a', metadata: { control, text: 'x'.repeat(300_000) } },
  ]);
  expect(await printed({}, 1024)).toEqual(await bySql());
});

it('prints nothing for no rows', async () => {
  const { id } = await createTenant(database.prisma, { name: 'other', plan: 'pro', region: 'eu', externalId: null });
  const before = tenantId;
  tenantId = id;
  expect(await printed({})).toEqual([]);
  tenantId = before;
});

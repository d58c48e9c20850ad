import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Filter, filterMembers } from '../../core/events/filter.ts';
import { contentOf, exportRequestSchema } from '../../core/exports/exports.ts';
import { type Database, inTransaction, openDatabase } from '../../prisma/client.ts';
import { eventsByIds, listStatement, newestFirst } from '../../prisma/events/list.ts';
import { placesStatement } from '../../prisma/events/list-across-tenants.ts';
import { readAsTenant } from '../../prisma/isolation/as-role.ts';
import { asTenant } from '../../prisma/isolation/as-tenant.ts';
import { spanQuery } from '../../prisma/receipts/file-span.ts';
import { type ExportRows, planSegments, readSegment } from '../../prisma/rows/segments.ts';
import { createTenant } from '../../prisma/tenants.ts';
import { addManyEvents } from '../add-events.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';

const segmentRows = 2_000;
/** Nearly all rows are one tenant's: what is likely in the whole table is wrong for the others. */
const counts = { big: 40_000, small: 400 };

/** One example of each member; each finds few of the events or none, which is what tempts a planner. */
const examples: Required<{ [member in keyof Filter]: Filter[member] }> = {
  action: ['user.login', 'no.such.*'],
  actor_id: 'user-5',
  actor_email: ['user5@example.com', 'nobody@example.com'],
  target_type: 'file',
  target_id: 'file-77',
  severity: 'Critical',
  ip: '198.51.100.7',
  from: '2025-01-01T01:00:00Z',
  to: '2025-01-01T09:00:00Z',
  after_sequence: 100,
  through_sequence: 39_000,
  search: 'user-5 login',
  metadata: { n: { $gt: 39_000 }, region: 'eu' },
};
const members = Object.keys(examples) as (keyof Filter)[];
const alone = members.map((member) => [member]);
const pairs = members.flatMap((one, index) => members.slice(index + 1).map((other) => [one, other]));
const filterOf = (names: readonly (keyof Filter)[]): Filter =>
  Object.fromEntries(names.map((name) => [name, examples[name]]));
const combinations = [[], ...alone, ...pairs, members];

let testDatabase: TestDatabase;
let database: Database;
const tenants = {} as Record<keyof typeof counts, string>;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url);
  for (const [name, count] of Object.entries(counts)) {
    const { id } = await createTenant(database.prisma, { name, plan: 'pro', region: 'eu', externalId: name });
    tenants[name as keyof typeof counts] = id;
    await addManyEvents(database, id, { count });
  }
}, 60_000);
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

type Plan = {
  'Node Type': string;
  'Index Name'?: string;
  'Index Cond'?: string;
  'Relation Name'?: string;
  'Rows Removed by Filter'?: number;
  'Actual Rows'?: number;
  Plans?: Plan[];
};

/** What reads the table, and all that is above it: with the policies on, or as the owner of the table, whom they do not hold. */
async function planOf(settings: string, select: string, values: unknown[] = [], pool = database.scans) {
  const rows = await inTransaction(pool, async (sql) => {
    await sql(`${settings}set local max_parallel_workers_per_gather = 0; set local jit = off`);
    return sql<{ 'QUERY PLAN': { Plan: Plan }[] }>(`explain (analyze, format json) ${select}`, values);
  });
  const nodes: Plan[] = [];
  const collect = (plan: Plan) => {
    nodes.push(plan);
    plan.Plans?.forEach(collect);
  };
  collect(rows[0]!['QUERY PLAN'][0]!.Plan);
  return { nodes, reads: nodes.filter((node) => node['Relation Name'] === 'events') };
}

/** How the table is read: by which index, and by which of its conditions. */
const shapeOf = ({ reads }: { reads: Plan[] }) =>
  reads.map((read) => [read['Node Type'], read['Index Name'], read['Index Cond']]);

const rowsOf = (tenant: keyof typeof counts, filter: Filter, sort: object[]): ExportRows => ({
  tenantId: tenants[tenant],
  asOfSequence: counts[tenant],
  segmentRows,
  content: contentOf(exportRequestSchema.parse({ format: 'csv', filter, sort })),
});

it('looks at plans with the policies on', async () => {
  const { rows } = await database.scans.query<{ active: boolean }>(`select row_security_active('events') as active`);
  expect(rows).toEqual([{ active: true }]);
  expect((await database.scans.query('select from events limit 1')).rowCount).toBe(0);
});

/**
 * Behind a policy only operators that are leakproof become conditions of an index (PostgreSQL documentation, "Rules and
 * Privileges"): an index whose operators are not would serve nobody. Enumerations, LIKE, jsonb and lower() are not;
 * starts_with, and texts, times, numbers and uuids that are compared, are.
 */
it('has indexes of events that serve behind a policy as well', async () => {
  const { rows } = await database.pool.query<{ index: string; leaking: string | null }>(`
    select i.indexrelid::regclass::text as index, string_agg(distinct o.oprcode::text, ', ') filter (where not p.proleakproof) as leaking
    from pg_index i cross join unnest(i.indclass) as used (opclass)
    join pg_opclass c on c.oid = used.opclass
    join pg_amop a on a.amopfamily = c.opcfamily and a.amoplefttype = c.opcintype and a.amoprighttype = c.opcintype
    join pg_operator o on o.oid = a.amopopr join pg_proc p on p.oid = o.oprcode
    where i.indrelid = 'events'::regclass group by 1 order by 1`);
  expect(rows.length).toBeGreaterThan(2);
  expect(rows.filter(({ leaking }) => leaking !== null)).toEqual([]);
});

it('has an example of each member of the filter', () => {
  expect(members.toSorted()).toEqual(filterMembers.toSorted());
});

describe.each([
  ['by time', [{ field: 'occurred_at' }]],
  ['by time, newest first', [{ field: 'occurred_at', direction: 'desc' }]],
  ['by number', [{ field: 'sequence_number' }]],
])('A segment of an export, %s', (_order, sort) => {
  it.each(['big', 'small'] as const)(
    'is a range of an index for every filter, for the %s tenant',
    async (tenant) => {
      for (const names of combinations) {
        const rows = rowsOf(tenant, filterOf(names), sort);
        let looked = 0;
        for await (const segment of planSegments(database.scans, rows, { after: null, nextRows: () => segmentRows })) {
          // The first, one within, and none beyond: what is cheap at the beginning may not be later.
          if (looked++ > 1) break;
          const [, settings = '', select] = /^(.*?)copy \((.*)\) to stdout/s.exec(
            readSegment(rows, segment).statement,
          )!;
          const plan = await planOf(settings, select!);
          const { reads } = plan;
          expect(shapeOf(plan), names.join()).toEqual(shapeOf(await planOf(settings, select!, [], database.pool)));
          for (const read of reads) {
            expect(read['Node Type'], names.join()).toMatch(/^Index (Only )?Scan$/);
            expect(read['Index Cond'], names.join()).toMatch(/tenant_id = .*(occurred_at|sequence_number)/s);
            // Few events behind a number are one segment (prisma/rows/segments.ts).
            const most = names.includes('after_sequence') ? counts[tenant] : segmentRows;
            expect(read['Rows Removed by Filter'] ?? 0, names.join()).toBeLessThanOrEqual(most);
          }
          expect(reads.length, names.join()).toBeGreaterThan(0);
        }
      }
    },
    120_000,
  );
});

describe('What a receipt says of a file', () => {
  it.each(['big', 'small'] as const)('counts erased events by their own index, for the %s tenant', async (tenant) => {
    for (const names of [[], ...alone]) {
      const { text, values } = spanQuery(rowsOf(tenant, filterOf(names), []));
      const { reads } = await planOf(asTenant(tenants[tenant]), text, values);
      const counted = reads.find((read) => read['Index Name'] === 'events_erased');
      expect(counted?.['Node Type'], names.join()).toMatch(/^Index (Only )?Scan$/);
      expect([counted!['Actual Rows'], counted!['Rows Removed by Filter'] ?? 0], names.join()).toEqual([0, 0]);
    }
  });
});

/** Members that a list finds by an index; what is rare and asked for by others is looked for in the whole log. */
const indexed: (keyof Filter)[] = ['from', 'to', 'through_sequence'];
const knownScans = combinations.filter((names) => names.some((name) => !indexed.includes(name)));

describe('A page of a list', () => {
  it.each(['big', 'small'] as const)('is the beginning of a range of an index, for the %s tenant', async (tenant) => {
    for (const names of combinations.filter((each) => !knownScans.includes(each))) {
      const looked = await eventsLookedAt(tenant, names);
      expect(looked, names.join()).toBeLessThanOrEqual(1_100);
    }
  });

  it.each(['big', 'small'] as const)('of a known scan looks at each event once, for the %s tenant', async (tenant) => {
    for (const names of knownScans) {
      // A tenant with nearly all events may be looked through by reading the table.
      expect(await eventsLookedAt(tenant, names), names.join()).toBeLessThanOrEqual(counts.big + counts.small);
    }
  });

  async function eventsLookedAt(tenant: keyof typeof counts, names: readonly (keyof Filter)[]): Promise<number> {
    const query = { filter: filterOf(names), sort: newestFirst, limit: 26 };
    const { text, values } = listStatement(tenants[tenant], query, []);
    const settings = asTenant(tenants[tenant]);
    const plan = await planOf(settings, text, values);
    expect(shapeOf(plan), names.join()).toEqual(shapeOf(await planOf(settings, text, values, database.pool)));
    const { reads } = plan;
    return reads.reduce((sum, read) => sum + (read['Actual Rows'] ?? 0) + (read['Rows Removed by Filter'] ?? 0), 0);
  }
});

describe('An event by its id, a range of verify, and the events of several tenants', () => {
  it.each(['big', 'small'] as const)('are found by an index, for the %s tenant', async (tenant) => {
    const id = tenants[tenant];
    const range = `select hash from events where tenant_id = $1::uuid and sequence_number > 10 and sequence_number <= 30
      order by sequence_number`;
    const looks: [text: string, values: unknown[]][] = [
      [eventsByIds, [id, [id, id]]],
      [range, [id]],
    ];
    for (const [text, values] of looks) {
      const plan = await planOf(asTenant(id), text, values);
      expect(shapeOf(plan)).toEqual(shapeOf(await planOf(asTenant(id), text, values, database.pool)));
      expect(plan.reads.map((read) => read['Node Type'])).toEqual([expect.stringMatching(/^Index/)]);
    }
    const ids = Object.values(tenants);
    const query = { tenantIds: ids, filter: {}, sort: newestFirst, offset: 0, count: 20 };
    const { text, values } = placesStatement(query);
    const plan = await readAsTenant(database.pool, { tenants: ids }, (sql) =>
      sql<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`explain (analyze, format json) ${text}`, values),
    );
    const printed = JSON.stringify(plan);
    expect(printed).toMatch(/hashed SubPlan/);
    expect(printed).not.toMatch(/Seq Scan/);
  });
});

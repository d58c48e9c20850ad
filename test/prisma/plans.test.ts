import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Filter, filterMembers } from '../../core/events/filter.ts';
import { contentOf, exportRequestSchema } from '../../core/exports/exports.ts';
import { type Database, inTransaction, openDatabase } from '../../prisma/client.ts';
import { listStatement, newestFirst } from '../../prisma/events/list.ts';
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

/** What reads the table, and all that is above it. */
async function planOf(settings: string, select: string, values: unknown[] = []) {
  const rows = await inTransaction(database.scans, async (sql) => {
    if (settings) await sql(settings);
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

const rowsOf = (tenant: keyof typeof counts, filter: Filter, sort: object[]): ExportRows => ({
  tenantId: tenants[tenant],
  asOfSequence: counts[tenant],
  segmentRows,
  content: contentOf(exportRequestSchema.parse({ format: 'csv', filter, sort })),
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
          const { reads } = await planOf(settings, select!);
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
    const { reads } = await planOf('', text, values);
    return reads.reduce((sum, read) => sum + (read['Actual Rows'] ?? 0) + (read['Rows Removed by Filter'] ?? 0), 0);
  }
});

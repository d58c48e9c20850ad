import { afterAll, beforeAll, expect, it } from 'vitest';
import { contentOf, exportRequestSchema } from '../../../core/exports/exports.ts';
import { firstCells, firstLines } from '../../../prisma/rows/preview.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
let tenantId: string;

beforeAll(async () => {
  events = await openEventDatabase();
  tenantId = await events.newTenant();
  await events.append(tenantId, [newEvent({ action: 'user.login' })]);
});
afterAll(() => events.close());

const rows = () => ({
  tenantId,
  asOfSequence: 1,
  content: contentOf(exportRequestSchema.parse({ format: 'csv', properties: [{ name: 'action' }] })),
});

it('gives the first rows as cells and as the file has them', async () => {
  expect(await firstCells(events.database, rows(), { count: 5, limitMs: 10_000 })).toEqual([['user.login']]);
  const lines = await firstLines(events.database, rows(), { count: 5, limitMs: 10_000 });
  expect(lines).toEqual({ bytes: Buffer.from('user.login\r\n'), rows: 1 });
});

it('gives none when they are not found in time, and leaves no statement behind', async () => {
  const blocker = await events.database.pool.connect();
  await blocker.query('begin');
  await blocker.query('lock table events in access exclusive mode');
  expect(await firstCells(events.database, rows(), { count: 5, limitMs: 50 })).toEqual([]);
  const lines = await firstLines(events.database, rows(), { count: 5, limitMs: 50 });
  expect(lines).toEqual({ bytes: Buffer.alloc(0), rows: 0 });
  const { rows: waiting } = await blocker.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  expect(waiting).toEqual([]);
  await blocker.query('rollback');
  blocker.release();
});

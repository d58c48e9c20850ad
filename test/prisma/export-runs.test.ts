import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportRequestSchema } from '../../core/exports.ts';
import { createExport } from '../../prisma/create-export.ts';
import { startExport } from '../../prisma/export-runs.ts';
import { type EventDatabase, openEventDatabase } from './event-database.ts';

let events: EventDatabase;

beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

it('has a worker whose clock is wrong ask again after one lease', async () => {
  const { row } = await createExport(events.database.prisma, await events.newTenant(), {
    request: exportRequestSchema.parse({ format: 'csv' }),
    by: { actor: { id: null, type: 'test', name: null }, context: { ip: null, user_agent: null } },
    segmentRows: 10,
  });
  expect(await startExport(events.database, row.id, 10)).toMatchObject({ outcome: 'started' });
  // As a worker sees it that is an hour behind the database.
  await events.sql(`update exports set lease_until = now() + interval '1 hour' where id = $1`, [row.id]);
  expect(await startExport(events.database, row.id, 10)).toEqual({ outcome: 'held', leaseMs: 10_000 });
});

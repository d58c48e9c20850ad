import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportRequestSchema } from '../../../core/exports/exports.ts';
import { findRollback } from '../../../prisma/events/greatest-known.ts';
import { verifyChain } from '../../../prisma/events/verify.ts';
import { createExport } from '../../../prisma/exports/create.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

const makeExport = (tenant: string) =>
  createExport(events.database.prisma, tenant, {
    request: exportRequestSchema.parse({ format: 'csv' }),
    by: { actor: { id: null, type: 'test', name: null }, context: { ip: null, user_agent: null } },
    layout: { segmentRows: 10, partBytes: 1, maxParts: 10 },
  });

/** A log of 10 events and their export, whose end somebody has removed without a trace in the chain. */
async function rolledBack(to: number) {
  const tenant = await events.newTenant();
  await events.append(
    tenant,
    Array.from({ length: 10 }, () => newEvent()),
  );
  await makeExport(tenant);
  await events.sql('delete from events where tenant_id = $1 and sequence_number > $2', [tenant, to]);
  await events.sql(
    `update chain_heads set sequence_number = $2::bigint, hash = coalesce(
       (select hash from events where tenant_id = $1 and sequence_number = $2::bigint), decode(repeat('00', 32), 'hex'))
     where tenant_id = $1`,
    [tenant, to],
  );
  return tenant;
}

it('finds nothing in a log that reaches the bounds of all its exports, nor in one without any', async () => {
  const tenant = await events.newTenant();
  expect(await findRollback(events.sql, tenant)).toBeUndefined();
  await events.append(tenant, [newEvent()]);
  await makeExport(tenant);
  expect(await findRollback(events.sql, tenant)).toBeUndefined();
  expect(await verifyChain(events.sql, tenant)).not.toHaveProperty('reason');
});

it.each([
  [7, 'valid'],
  [0, 'empty'],
])('has verify call a log that was rolled back to %i broken, although its chain is %s', async (to) => {
  const tenant = await rolledBack(to);
  const [last] = await events.sql<{ id: string }>(
    'select id from events where tenant_id = $1 order by sequence_number desc limit 1',
    [tenant],
  );
  expect(await verifyChain(events.sql, tenant)).toEqual({
    status: 'broken',
    events_checked: to,
    first_event_id: to ? expect.any(String) : null,
    last_event_id: last?.id ?? null,
    broken_at_event_id: last?.id ?? null,
    head: { sequence_number: expect.any(Number), hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    reason: expect.stringMatching(new RegExp(`^The log ends at ${to}, and an export knows number 10: events behind`)),
  });
});

it('says so until the log is longer than what is known, also of an export whose file has gone', async () => {
  const tenant = await rolledBack(9);
  await events.sql(`update exports set status = 'expired', file_deleted_at = now() where tenant_id = $1`, [tenant]);
  expect(await findRollback(events.sql, tenant)).toEqual({ head: 9, known: 10, keptBy: 'an export' });
});

it('calls no log rolled back while exports are made', async () => {
  const tenant = await events.newTenant();
  let isMaking = true;
  const making = (async () => {
    for (let i = 0; i < 20; i++) await makeExport(tenant);
  })().finally(() => {
    isMaking = false;
  });
  while (isMaking) expect(await findRollback(events.sql, tenant)).toBeUndefined();
  await making;
});

import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newId } from '../../core/ids.ts';
import { openDatabase, pgSql } from '../../prisma/client.ts';
import { newEventColumns, newEventNames } from '../../prisma/events/columns.ts';
import { verifyChain } from '../../prisma/events/verify.ts';
import { migrate } from '../../prisma/migrate.ts';
import { arbitraryEvent } from '../core/events/arbitrary-event.ts';
import { createTestDatabase } from '../database.ts';
import { newEvent } from './event-database.ts';

const shipped = join(import.meta.dirname, '../../prisma/migrations');

/** Applies the migrations of the time before chain version 2. */
async function migrateBefore(url: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'logferry-migrations-'));
  const earlier = (await readdir(shipped)).filter((name) => name < '20261129170000');
  for (const name of earlier) await cp(join(shipped, name), join(directory, name), { recursive: true });
  await migrate(url, undefined, directory);
  await rm(directory, { recursive: true });
}

test('The migration chains anew what a database of the time before holds, each log by itself, to the same members', async () => {
  const testDatabase = await createTestDatabase({ empty: true });
  await migrateBefore(testDatabase.url);
  const database = openDatabase(testDatabase.url);
  const sql = pgSql(database.pool);
  const [one, other, empty] = [newId(), newId(), newId()];
  const given = fc.sample(arbitraryEvent, { numRuns: 100, seed: 3 }).map((event) => newEvent(event));
  const casts = newEventColumns.map(([name, type]) => `${name}::${type}`).join(', ');
  const types = newEventColumns.map(([name]) => `${name} text`).join(', ');
  for (const [tenant, events] of [
    [one, given],
    [other, given.slice(0, 30)],
    [empty, []],
  ] as const) {
    await sql(`insert into tenants (id, name, plan, region, created_at) values ($1, 'a', 'pro', 'eu', now())`, [
      tenant,
    ]);
    await sql(
      `insert into events (tenant_id, sequence_number, ${newEventNames}, previous_hash, hash)
       select $1, row_number() over (), ${casts}, '\\x00', '\\x00' from json_to_recordset($2) as given (${types})`,
      [tenant, JSON.stringify(events.map((event) => ({ ...event, seed: undefined, digest: undefined })))],
    );
    await sql(
      `insert into chain_heads (tenant_id, sequence_number, hash) values ($1, $2, decode(repeat('00', 32), 'hex'))`,
      [tenant, events.length],
    );
  }
  await migrate(testDatabase.url);
  expect(await verifyChain(sql, one)).toMatchObject({ status: 'valid', events_checked: 100 });
  expect(await verifyChain(sql, other)).toMatchObject({ status: 'valid', events_checked: 30 });
  expect(await verifyChain(sql, empty)).toMatchObject({ status: 'valid', events_checked: 0 });
  const [seeds] = await sql<{ count: number }>('select count(distinct seed)::int as count from events');
  expect(seeds!.count).toBe(130);
  await database.close();
  await testDatabase.drop();
});

import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fullMark, markStoreFull } from '../../../prisma/exports/store-room.ts';
import { inspectStoredBytes } from '../../../prisma/inspect/stored-bytes.ts';
import { type EventDatabase, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
let client: pg.Client;
beforeAll(async () => {
  events = await openEventDatabase();
  client = new pg.Client({ connectionString: events.url });
  await client.connect();
  await events.sql(
    `insert into exports (id, tenant_id, status, request, file_name, created_by, as_of, as_of_sequence, resumable, segment_rows,
       storage_key, progress, created_at, bytes)
     values (gen_random_uuid(), $1, 'completed', '{}', 'f', '{}', now(), 0, true, 1, 'k', '{}', now(), 900)`,
    [await events.newTenant()],
  );
});
afterAll(async () => {
  await client.end();
  await events.close();
});

it.each([
  [undefined, 'ok', 'files and running exports take 900 bytes'],
  [1001, 'ok', 'files and running exports take 900 bytes of the 1001 of LOGFERRY_STORE_LIMIT'],
  [
    1000,
    'warning',
    'files and running exports take 900 bytes of the 1000 of LOGFERRY_STORE_LIMIT: exports that do not fit will fail',
  ],
  [
    900,
    'warning',
    'files and running exports take 900 bytes of the 900 of LOGFERRY_STORE_LIMIT: new exports are refused',
  ],
])('says of a limit of %j: %s, %s', async (limit, level, text) => {
  expect(await inspectStoredBytes(client, limit)).toEqual([expect.objectContaining({ level, about: 'storage', text })]);
});

it('warns of a storage that has refused a write, for ten minutes', async () => {
  await markStoreFull(events.database);
  expect(await inspectStoredBytes(client, undefined)).toContainEqual(
    expect.objectContaining({ level: 'warning', text: expect.stringContaining('refused a write for want of room') }),
  );
  await events.sql(`update settings set value = (now() - interval '11 minutes')::text where name = $1`, [fullMark]);
  expect(await inspectStoredBytes(client, undefined)).toHaveLength(1);
});

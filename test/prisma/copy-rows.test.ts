import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../prisma/client.ts';
import { copyRows } from '../../prisma/copy-rows.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url, { scanConnections: 1 });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const copy = (query: string, signal = new AbortController().signal) =>
  copyRows(database.scans, `copy (${query}) to stdout`, { lineEnding: 'lf', signal });

it('runs no statement for a reader that was stopped while it waited for a connection', async () => {
  const only = await database.scans.connect();
  const stop = new AbortController();
  const first = copy('select pg_sleep(60)', stop.signal).next();
  stop.abort(new Error('not any more'));
  only.release();
  await expect(first).rejects.toThrow('not any more');
  expect((await database.scans.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

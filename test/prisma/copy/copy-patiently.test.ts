import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../../prisma/client.ts';
import { freshBuffers } from '../../../prisma/copy/buffers.ts';
import { copyPatiently } from '../../../prisma/copy/copy-patiently.ts';
import { linePrinter } from '../../../prisma/copy/row-printer.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';
import { type DatabaseRelay, relayTo } from '../../database-relay.ts';

let testDatabase: TestDatabase;
let relay: DatabaseRelay;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  relay = await relayTo(testDatabase.url);
  database = openDatabase(relay.url, { scanConnections: 1 });
});
afterAll(async () => {
  relay.shut();
  await database.close();
  await testDatabase.drop();
});

const kibibyte = 1024;
/** Rows of 64 KiB that begin with their numbers, in chunks of four. */
const copy = (rows: number, more: { skipRows?: number; signal?: AbortSignal } = {}) =>
  copyPatiently(
    database.scans,
    `copy (select lpad(n::text, 8, '0') || repeat('x', ${64 * kibibyte - 9}) from generate_series(1, ${rows}) n) to stdout`,
    {
      printer: linePrinter('lf'),
      signal: new AbortController().signal,
      buffers: freshBuffers(256 * kibibyte),
      waitingLimitBytes: 512 * kibibyte,
      pauseLimitMs: 20,
      ...more,
    },
  );
const numbersIn = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / (64 * kibibyte) }, (_, row) =>
    Number(bytes.toString('latin1', row * 64 * kibibyte, row * 64 * kibibyte + 8)),
  );
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

it('gives every row once, in order, to a reader who keeps the server waiting, and holds no connection meanwhile', async () => {
  const numbers: number[] = [];
  const lengths: number[] = [];
  let released = 0;
  for await (const chunk of copy(200, { skipRows: 3 })) {
    numbers.push(...numbersIn(chunk.bytes));
    lengths.push(chunk.rows);
    // The only connection: it is there once the statement was given up, or has ended.
    await database.scans.query('select 1');
    released++;
  }
  expect(numbers).toEqual(upTo(200, 4));
  expect(released).toBeGreaterThan(40);
  // Chunks end where the rows say, however often the statement was run.
  expect(lengths.slice(0, -1).every((rows) => rows === 4)).toBe(true);
});

it('waits for a database that is away before the first row', async () => {
  relay.shut();
  const numbers: number[] = [];
  const reading = (async () => {
    for await (const chunk of copy(10)) numbers.push(...numbersIn(chunk.bytes));
  })();
  await expect.poll(() => database.scans.totalCount).toBe(0);
  await relay.open();
  await reading;
  expect(numbers).toEqual(upTo(10));
});

it('waits no longer when it is stopped', async () => {
  relay.shut();
  const stop = new AbortController();
  const first = copy(10, { signal: stop.signal }).next();
  stop.abort(new Error('not any more'));
  await expect(first).rejects.toThrow('not any more');
  await relay.open();
});

it('fails when the database goes away behind the first rows', async () => {
  const chunks = copy(100_000);
  await chunks.next();
  relay.shut();
  const rest = (async () => {
    for await (const _chunk of chunks);
  })();
  await expect(rest).rejects.toThrow();
  await relay.open();
});

import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../../prisma/client.ts';
import { reusedBuffers } from '../../../prisma/copy/buffers.ts';
import { PausedTooLongError } from '../../../prisma/copy/copy-reader.ts';
import { copyRows } from '../../../prisma/copy/copy-rows.ts';
import { linePrinter } from '../../../prisma/copy/row-printer.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';

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
  copyRows(database.scans, `copy (${query}) to stdout`, { printer: linePrinter('lf'), signal });

it('runs no statement for a reader that was stopped while it waited for a connection', async () => {
  const only = await database.scans.connect();
  const stop = new AbortController();
  const first = copy('select pg_sleep(60)', stop.signal).next();
  stop.abort(new Error('not any more'));
  only.release();
  await expect(first).rejects.toThrow('not any more');
  expect((await database.scans.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

it('ends a statement that prints nothing when its reader is stopped', async () => {
  const running = async () => {
    const { rows } = await database.pool.query(
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and query like 'copy (select pg_sleep(61))%'",
    );
    return rows[0].n;
  };
  const stop = new AbortController();
  const first = copy('select pg_sleep(61)', stop.signal).next();
  first.catch(() => {});
  await expect.poll(running).toBe(1);
  stop.abort(new Error('not any more'));
  await expect(first).rejects.toThrow('not any more');
  await expect.poll(running, { timeout: 10_000 }).toBe(0);
});

it('pauses the server once a few mebibytes wait, however long the rows are', async () => {
  const rowBytes = 4 * 1024 * 1024;
  const client = await database.scans.connect();
  const { stream } = (client as unknown as { connection: { stream: Stream } }).connection;
  client.release();
  const before = stream.bytesRead;
  const paused = new Promise<number>((resolve) => stream.once('pause', () => resolve(stream.bytesRead - before)));
  const chunks = copy(`select repeat('x', ${rowBytes}) from generate_series(1, 12)`);
  let bytes = (await chunks.next()).value?.bytes.length ?? 0;
  expect(await paused).toBeLessThan(5 * rowBytes);
  for await (const chunk of chunks) bytes += chunk.bytes.length;
  expect(bytes).toBe(12 * (rowBytes + 1));
});

type Stream = pg.ClientBase & { bytesRead: number; once(event: 'pause', heard: () => void): void };

const letters = (count: number) => `select repeat('x', ${512 * 1024}) from generate_series(1, ${count})`;

it('gives its connection back once the server has printed all, though chunks still wait', async () => {
  // As many as wait without a pause: with more, it is a matter of luck whether the server had printed all before it.
  const chunks = copy(letters(3));
  let rows = (await chunks.next()).value!.rows;
  // The only connection there is.
  expect((await database.scans.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  for await (const chunk of chunks) rows += chunk.rows;
  expect(rows).toBe(3);
});

it('gives up its connection when it has kept the server waiting for too long, and says so behind what was read', async () => {
  const options = { printer: linePrinter('lf'), signal: new AbortController().signal, pauseLimitMs: 50 };
  const chunks = copyRows(database.scans, `copy (${letters(100)}) to stdout`, options);
  let rows = (await chunks.next()).value!.rows;
  expect((await database.scans.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  const rest = (async () => {
    for await (const chunk of chunks) rows += chunk.rows;
  })();
  await expect(rest).rejects.toThrow(PausedTooLongError);
  expect(rows).toBeGreaterThan(1);
  expect(rows).toBeLessThan(100);
});

it('uses buffers again that were given back, each for one at a time, and no other', async () => {
  const buffers = reusedBuffers(1024, 100);
  const options = { printer: linePrinter('lf'), signal: new AbortController().signal, buffers };
  const rows = 'select repeat(chr(96 + n), 300) from generate_series(1, 26) n';
  const kept: Buffer[] = [];
  for await (const chunk of copyRows(database.scans, `copy (${rows}) to stdout`, options)) {
    if (kept.length === 0) kept.push(chunk.bytes);
    else {
      chunk.giveBack?.();
      // A second time does nothing: the chunk may be somebody else's by now.
      chunk.giveBack?.();
    }
  }
  expect(kept.map((bytes) => bytes.toString('latin1').replaceAll(/(.)\1*/g, '$1'))).toEqual(['a\nb\nc\n']);
  const long = await copyRows(database.scans, `copy (select repeat('x', 2000)) to stdout`, options).next();
  long.value!.giveBack?.();
  const free = Array.from({ length: 30 }, () => buffers.take());
  expect(new Set(free).size).toBe(30);
  expect(free.every((chunk) => chunk.length === 1024 && chunk.buffer !== kept[0]!.buffer)).toBe(true);
});

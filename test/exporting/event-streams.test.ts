import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEventStreams } from '../../api/streams/event-streams.ts';
import { readConfig } from '../../core/config.ts';
import { streamLimits } from '../../core/limits/replies.ts';
import { makeLog } from '../../core/log.ts';
import { makeMetrics } from '../../core/metrics.ts';
import { openDatabase } from '../../prisma/client.ts';
import { addEvents, addManyEvents } from '../add-events.ts';
import { type OpenStream, openStream } from '../api/open-stream.ts';
import { bodyOf, startApp } from '../api/start-app.ts';
import { createTestDatabase } from '../database.ts';
import { relayTo } from '../database-relay.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';

/** About 70 MB of JSON: several times what sockets, kernel and process keep between them for one stream. */
const count = 50_000;
const all = `through_sequence=${count}`;
/** All of it as one statement: the numbers of few events are not cut into segments. */
const asOne = `after_sequence=0&${all}`;

let app: Exporting;
let big: Awaited<ReturnType<Exporting['newTenant']>>;
beforeAll(async () => {
  app = await startExporting();
  big = await app.newTenant();
  await addManyEvents(app.database, big.tenant.id, { count, noiseBytes: 768 });
});
afterAll(() => app.close());

const path = '/v1/events/export';
/** Streams of the big tenant, all of them, and those that a test has not ended. */
let opened = 0;
const left = new Set<OpenStream>();
async function open(query = all, key = big.key): Promise<OpenStream> {
  const stream = await openStream(app.url, key, query);
  left.add(stream);
  if (key === big.key) opened++;
  return stream;
}
afterEach(async () => {
  for (const { hangUp } of left) hangUp();
  left.clear();
  // Each is in the audit log once, however it ended; then its place is free as well.
  await expect.poll(async () => (await streamed()).length, { timeout: 10_000 }).toBe(opened);
});

/** The connections for scans that are in a statement or a transaction. */
async function busy(): Promise<{ pid: number; seconds: number }[]> {
  const { rows } = await app.database.pool.query(
    `select pid, extract(epoch from clock_timestamp() - xact_start)::float as seconds from pg_stat_activity
     where datname = current_database() and application_name = 'logferry-export' and xact_start is not null`,
  );
  return rows;
}

/** Ends when no scan has been seen for half a second: a gap between two of them is shorter. */
async function untilQuiet(): Promise<void> {
  let since = performance.now();
  const quietMs = async () => {
    if ((await busy()).length > 0) since = performance.now();
    return performance.now() - since;
  };
  await expect.poll(quietMs, { timeout: 25_000 }).toBeGreaterThan(500);
}

type Streamed = { rows: number; complete: boolean };
async function streamed(
  tenantId = big.tenant.id,
  { database } = app as Pick<Exporting, 'database'>,
): Promise<Streamed[]> {
  const { rows } = await database.pool.query(
    `select metadata from events where tenant_id = $1 and action = 'logferry.events.streamed' order by sequence_number`,
    [tenantId],
  );
  return rows.map((row) => row.metadata);
}

/** Nothing can be read of the events until what comes back is called. */
async function lockEvents(): Promise<() => Promise<void>> {
  const client = await app.database.pool.connect();
  await client.query('begin');
  await client.query('lock table events in access exclusive mode');
  return async () => {
    await client.query('rollback');
    client.release();
  };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('A stream of events', () => {
  it('holds nothing that was written after it had begun', async () => {
    const { reply, rest } = await open('action=user.login');
    const asOf = Number(reply.headers['logferry-as-of-sequence']);
    const late = ['2025-01-01T00:00:00.5Z', '2025-01-01T06:00:00Z', '2030-01-01T00:00:00Z'];
    const json = { events: late.map((occurred_at) => ({ action: 'user.login', occurred_at })) };
    const { data } = await bodyOf(big.call('/v1/events/batch', { json }));
    expect(data[0].sequence_number).toBeGreaterThan(asOf);
    const filter = { action: 'user.login', through_sequence: asOf };
    const file = await exportFile(big.call, { format: 'json', filter });
    expect(await rest()).toEqual({ bytes: file.bytes.length, sha256: sha256(file.bytes) });
  });

  it('keeps no snapshot for a client of 10 kB a second', async () => {
    const stream = await open();
    const seconds: number[] = [];
    const look = async () => seconds.push(...(await busy()).map((each) => each.seconds));
    const watch = setInterval(() => void look(), 100);
    await stream.trickle(10_000, 5_000);
    clearInterval(watch);
    // Most of what it reads is read too fast to be seen.
    expect(app.database.scans.totalCount).toBeGreaterThan(0);
    expect(Math.max(0, ...seconds)).toBeLessThan(4);
    expect(await busy()).toEqual([]);
  });

  it('is whole for a client who pauses for longer than its statement waits', async () => {
    const { bytes } = await exportFile(big.call, { format: 'json', filter: { through_sequence: count } });
    const stream = await open(asOne);
    await expect.poll(busy).not.toEqual([]);
    await untilQuiet();
    expect(await stream.rest()).toEqual({ bytes: bytes.length, sha256: sha256(bytes) });
  }, 60_000);

  it.each([
    ['while rows are printed', async () => () => {}],
    ['while nothing is printed', lockEvents],
  ])('frees its connection within two seconds when the client hangs up %s', async (_when, begin) => {
    const { tenant, key } = await app.newTenant();
    await addManyEvents(app.database, tenant.id, { count: 30_000, noiseBytes: 768 });
    const end = await begin();
    const stream = await open('after_sequence=0', key);
    await stream.take(1);
    await expect.poll(busy).not.toEqual([]);
    stream.hangUp();
    await expect.poll(busy, { timeout: 2_000, interval: 50 }).toEqual([]);
    await end();
    await expect.poll(() => streamed(tenant.id)).toEqual([expect.objectContaining({ complete: false })]);
    expect((await streamed(tenant.id))[0]!.rows).toBeLessThan(30_000);
  });

  it('breaks the connection when it fails behind the first byte, and its JSON cannot be read', async () => {
    const stream = await open(asOne);
    let text = (await stream.take(1_000_000)).toString();
    const failing = (async () => {
      for (;;) text += await stream.take(100_000);
    })();
    const end = failing.catch((error: NodeJS.ErrnoException) => error.code);
    let code: string | undefined;
    void end.then((broken) => {
      code = broken ?? 'none';
    });
    while (code === undefined) {
      for (const { pid } of await busy()) await app.database.pool.query('select pg_terminate_backend($1)', [pid]);
    }
    expect(code).toBe('ECONNRESET');
    expect(text.length).toBeGreaterThan(1_000_000);
    expect(() => JSON.parse(text)).toThrow();
    await expect.poll(async () => (await streamed()).length).toBe(opened);
    expect((await streamed()).at(-1)).toMatchObject({ complete: false });
  });

  it('waits for a database that goes away between two statements, and answers 503 before the first byte', async () => {
    const relay = await relayTo(app.databaseUrl);
    const other = await startApp({ DATABASE_URL: relay.url, LOGFERRY_ADMIN_KEY: app.adminKey });
    try {
      opened++;
      const stream = await openStream(other.url, big.key, all);
      // Rows, so that it has begun: quiet is what comes before as well.
      const head = await stream.take(1000);
      await untilQuiet();
      relay.shut();
      const refused = await other.caller(big.key)(path);
      expect([refused.status, refused.headers.get('content-disposition')]).toEqual([503, null]);
      const taken = stream.rest();
      // What is left needs the database before long.
      await expect.poll(() => other.database.scans.totalCount).toBe(0);
      await relay.open();
      const { bytes } = await exportFile(big.call, { format: 'json', filter: { through_sequence: count } });
      const rest = bytes.subarray(head.length);
      expect(await taken).toEqual({ bytes: rest.length, sha256: sha256(rest) });
      // It is written down through the database that is closed now.
      await expect.poll(async () => (await streamed()).length).toBe(opened);
    } finally {
      await other.close();
      relay.shut();
    }
  });

  it('is cut off when its client has taken nothing for the longest time', async () => {
    const testDatabase = await createTestDatabase();
    const database = openDatabase(testDatabase.url);
    const config = readConfig({});
    const streams = openEventStreams({
      config,
      database,
      log: makeLog('silent'),
      metrics: makeMetrics(),
      idleLimitMs: 300,
    });
    const other = await startApp({}, { database, streams });
    try {
      const { tenant, key } = await other.newTenant();
      await addManyEvents(database, tenant.id, { count: 30_000, noiseBytes: 768 });
      const stream = await openStream(other.url, key);
      await expect.poll(() => streamed(tenant.id, other)).toEqual([expect.objectContaining({ complete: false })]);
      await expect(stream.rest()).rejects.toMatchObject({ code: 'ECONNRESET' });
    } finally {
      await other.close();
      await database.close();
      await testDatabase.drop();
    }
  });
});

describe('Many streams of events', () => {
  it('of one tenant are whole, fifty at once, and keep neither estimates nor exports waiting', async () => {
    const query = 'through_sequence=3000';
    const filter = { through_sequence: 3000 };
    const file = await exportFile(big.call, { format: 'json', filter });
    const other = await app.newTenant();
    await addEvents(app.database, other.tenant.id, [{ action: 'one' }]);
    const streams = await Promise.all(Array.from({ length: streamLimits.ofOneTenant }, () => open(query)));
    const took = Promise.all(streams.map((stream) => stream.rest()));
    const estimate = await bodyOf(other.call('/v1/exports/estimate', { json: { format: 'csv' } }));
    expect(estimate).toMatchObject({ rows: 1 });
    expect((await exportFile(other.call, { format: 'csv' })).view.rows).toBe(1);
    const digests = (await took).map((each) => each.sha256);
    expect(new Set(digests)).toEqual(new Set([sha256(file.bytes)]));
    expect(streams.map(({ reply }) => reply.trailers)).toEqual(streams.map(() => ({ 'logferry-rows': '3000' })));
  });

  it('leave no place for the fifty-first of a tenant, nor for the hundred-and-first of a process', async () => {
    const second = await app.newTenant();
    const third = await app.newTenant();
    const unlock = await lockEvents();
    const first = await Promise.all(Array.from({ length: streamLimits.ofOneTenant }, () => open()));
    const tooMany = await big.call(path);
    expect([tooMany.status, (await bodyOf(tooMany)).error.type]).toEqual([429, 'rate_limit_exceeded']);
    expect(tooMany.headers.get('retry-after')).toMatch(/^\d+$/);
    const others = await Promise.all(Array.from({ length: streamLimits.ofOneTenant }, () => open('', second.key)));
    const full = await third.call(path);
    expect([full.status, (await bodyOf(full)).error.type]).toEqual([503, 'unavailable']);
    expect(full.headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await third.call(path, { method: 'HEAD' })).status).toBe(200);
    for (const { hangUp } of others) hangUp();
    await expect.poll(async () => (await third.call(path)).status).toBe(200);
    for (const { hangUp } of first) hangUp();
    await unlock();
  });
});

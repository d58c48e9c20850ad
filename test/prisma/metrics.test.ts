import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../core/ids.ts';
import { makeLog } from '../../core/log.ts';
import { makeMetrics } from '../../core/metrics.ts';
import { openDatabase } from '../../prisma/client.ts';
import { figuresQuery, meterDatabase, readFigures } from '../../prisma/metrics.ts';
import { readMetrics, valueIn } from '../core/read-metrics.ts';
import { type EventDatabase, newEvent, openEventDatabase } from './event-database.ts';

const log = makeLog('silent');

describe('The figures of the database', () => {
  let db: EventDatabase;
  let tenantId: string;
  beforeAll(async () => {
    db = await openEventDatabase();
    tenantId = await db.newTenant();
  });
  afterAll(() => db.close());

  /** `count` exports in a state, as made so many seconds ago. */
  const insertExports = (status: string, count: number, { ageSeconds = 0, more = {} as Record<string, string> } = {}) =>
    db.sql(
      `insert into exports (id, tenant_id, status, request, file_name, created_by, as_of, as_of_sequence, resumable,
         segment_rows, storage_key, progress, created_at ${Object.keys(more).map((name) => `, ${name}`)})
       select gen_random_uuid(), $1, $2::export_status, '{}', 'f', '{}', now(), 0, true, 1, 'k', '{}',
         now() - make_interval(secs => $3) ${Object.values(more).map((value) => `, ${value}`)}
       from generate_series(1, $4::int)`,
      [tenantId, status, ageSeconds, count],
    );
  const insertDeliveries = (status: string, count: number, nextAttemptAt: string) =>
    db.sql(
      `insert into deliveries (id, tenant_id, webhook_id, type, url, data, status, attempts, next_attempt_at, created_at)
       select gen_random_uuid(), $1, (select id from webhooks limit 1), 'ping', '', '{}', $2::delivery_status, '[]',
         ${nextAttemptAt}, now() from generate_series(1, $3::int)`,
      [tenantId, status, count],
    );

  it('are all 0 where there is nothing', async () => {
    expect(await readFigures(db.database.pool)).toEqual({
      queued: 0,
      running: 0,
      silent: 0,
      due: 0,
      oldestDueSeconds: 0,
      deliveriesPending: 0,
      oldestDeliverySeconds: 0,
      storedBytes: 0,
      tenantsDeleting: 0,
      retentionBehind: 0,
      unsealedEvents: 0,
      erasuresQueued: 0,
      erasuresRunning: 0,
    });
  });

  it('count what is unfinished, what is due, and for how long; in a few milliseconds beside 80,000 ended rows', async () => {
    await db.sql(
      `insert into webhooks (id, tenant_id, url, events, secret, created_at) values ($1, $2, '', '{}', '', now())`,
      [newId(), tenantId],
    );
    await db.append(
      tenantId,
      Array.from({ length: 600 }, () => newEvent()),
    );
    await insertExports('completed', 20_000);
    await insertExports('expired', 20_000);
    await insertDeliveries('delivered', 40_000, 'null');
    await insertExports('queued', 3, { ageSeconds: 120 });
    await insertExports('queued', 2, { ageSeconds: 500, more: { retry_at: `now() + interval '1 minute'` } });
    await insertExports('running', 4, { more: { lease_until: `now() + interval '1 minute'` } });
    await insertExports('running', 1, { more: { lease_until: `now() - interval '1 minute'` } });
    await insertDeliveries('pending', 5, `now() + interval '1 hour'`);
    await insertDeliveries('pending', 1, `now() - interval '90 seconds'`);
    await db.sql('vacuum analyze exports');
    await db.sql('vacuum analyze deliveries');

    const figures = await readFigures(db.database.pool);
    expect(figures).toMatchObject({
      queued: 5,
      running: 5,
      silent: 1,
      due: 3,
      deliveriesPending: 6,
      unsealedEvents: 512,
    });
    expect(figures.oldestDueSeconds).toBeGreaterThanOrEqual(120);
    expect(figures.oldestDueSeconds).toBeLessThan(180);
    expect(figures.oldestDeliverySeconds).toBeGreaterThanOrEqual(90);
    expect(figures.oldestDeliverySeconds).toBeLessThan(150);

    const { text, values } = figuresQuery;
    const lines = await db.sql<Record<string, string>>(`explain (analyze, buffers, costs off) ${text}`, values);
    const plan = lines.map((each) => Object.values(each)[0]).join('\n');
    // Of tenants there are few, and their heads and logs are small.
    expect(plan).not.toMatch(/Seq Scan on (?!tenants|chain_heads|logs)/);
    expect(plan).toMatch(/Index (Only )?Scan (Backward )?(using|on) (exports|deliveries)_/);
    const buffers = Number(/^ +Buffers: shared hit=(\d+)/m.exec(plan)?.[1]);
    expect(buffers).toBeLessThan(100);
  });

  it('stand in a scrape, with the use of the pools', async () => {
    const metrics = makeMetrics();
    meterDatabase(metrics, { database: db.database, log });
    const client = await db.database.scans.connect();
    const families = readMetrics((await metrics.scrape()).text);
    client.release();
    expect(valueIn(families, 'logferry_database_up')).toBe(1);
    expect(valueIn(families, 'logferry_exports', { status: 'queued' })).toBe(5);
    expect(valueIn(families, 'logferry_exports_silent')).toBe(1);
    expect(valueIn(families, 'logferry_deliveries_oldest_due_seconds')).toBeGreaterThan(89);
    expect(valueIn(families, 'logferry_database_connections', { pool: 'scans', state: 'busy' })).toBe(1);
    expect(valueIn(families, 'logferry_database_connections_max', { pool: 'requests' })).toBe(20);
    expect(valueIn(families, 'logferry_database_waiting', { pool: 'runs' })).toBe(0);
  });

  it('cost one query however many scrape at once', async () => {
    const metrics = makeMetrics();
    const pool = new pg.Pool({ connectionString: db.url });
    let queries = 0;
    pool.on('acquire', () => queries++);
    meterDatabase(metrics, { database: { ...db.database, pool }, log });
    await Promise.all(Array.from({ length: 20 }, () => metrics.scrape()));
    await metrics.scrape();
    await pool.end();
    expect(queries).toBe(1);
  });
});

describe('A scrape without the database', () => {
  it.each([
    ['refuses connections', undefined],
    ['takes connections and says nothing', (socket: Socket) => void socket.resume()],
  ])('answers within seconds and leaves its figures out, when it %s', async (_how, listener) => {
    const server = createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    if (!listener) server.close();
    const database = openDatabase(`postgresql://nobody@127.0.0.1:${port}/nothing`);
    const metrics = makeMetrics();
    meterDatabase(metrics, { database, log });
    metrics.add('logferry_events_written_total', 3);
    const start = performance.now();
    const families = readMetrics((await metrics.scrape()).text);
    expect(performance.now() - start).toBeLessThan(4_000);
    expect(valueIn(families, 'logferry_database_up')).toBe(0);
    expect(families.get('logferry_exports')!.samples).toEqual([]);
    expect(families.get('logferry_exports_due')!.samples).toEqual([]);
    expect(valueIn(families, 'logferry_events_written_total')).toBe(3);
    expect(valueIn(families, 'logferry_database_connections_max', { pool: 'scans' })).toBe(8);
    for (const socket of sockets) socket.destroy();
    server.close();
    await database.close();
  });

  it('has them again once the database is back', async () => {
    const db = await openEventDatabase();
    const { hostname, port } = new URL(db.url);
    let isAway = true;
    // A door before the database that can be shut.
    const door = createServer((socket) => {
      if (isAway) return void socket.destroy();
      const through = new (socket.constructor as typeof Socket)().connect(Number(port), hostname);
      socket.pipe(through).pipe(socket);
      socket.on('error', () => {});
      through.on('error', () => {});
    });
    door.listen(0, '127.0.0.1');
    await once(door, 'listening');
    const url = Object.assign(new URL(db.url), { port: String((door.address() as AddressInfo).port) }).href;
    const database = openDatabase(url);
    const metrics = makeMetrics();
    meterDatabase(metrics, { database, log });
    const up = async () => valueIn(readMetrics((await metrics.scrape()).text), 'logferry_database_up');
    expect(await up()).toBe(0);
    isAway = false;
    expect(await up()).toBe(1);
    await database.close();
    door.close();
    await db.close();
  });
});

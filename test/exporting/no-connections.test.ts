import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addManyEvents } from '../add-events.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { type Exporting, endedExport, fetchFile, queueExport, startExporting } from '../worker/export-fixture.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

const role = `logferry_${randomUUID().slice(0, 8)}`;
let database: TestDatabase;
let owner: pg.Client;
let app: Exporting;
let worker: WorkerProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  // No superuser, since the server gives those connections beyond any limit; but as good as the owner of the tables.
  await owner.query(`create role ${role} login password 'none' in role "${decodeURIComponent(url.username)}"`);
  const asRole = Object.assign(new URL(database.url), { username: role, password: 'none' }).href;
  app = await startExporting({ ...workerSettings, DATABASE_URL: asRole }, { worker: false });
});
afterAll(async () => {
  await worker?.ended('SIGKILL');
  await app?.close();
  await owner?.query(`drop role if exists ${role}`);
  await owner?.end();
  await database?.drop();
});

/** The server refuses this role with 53300, as it does everybody at max_connections. */
const shut = async () => {
  await owner.query(`alter role ${role} connection limit 0`);
  await owner.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role]);
};
const open = () => owner.query(`alter role ${role} connection limit -1`);

it('A PostgreSQL without connections left is a 503 that says when to come back, and exports go on by themselves', async () => {
  const { call, tenant } = await app.newTenant();
  const count = 16_000;
  await addManyEvents(app.database, tenant.id, { count, noiseBytes: 2000 });
  worker = startWorkerProcess(app);
  await worker.logged('worker runs');
  const id = await queueExport(call, { format: 'csv', filter: { through_sequence: count } });
  await worker.logged('export started');
  await shut();
  try {
    const asOther = new pg.Client({ connectionString: app.deps.config.DATABASE_URL! });
    await expect(asOther.connect()).rejects.toMatchObject({ code: '53300' });
    const calls = [call('/v1/events'), call('/v1/events', { json: { action: 'a' } }), call('/v1/exports')];
    for (const reply of await Promise.all(calls)) {
      expect(reply.status).toBe(503);
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await reply.json()).toMatchObject({ error: { type: 'unavailable' } });
    }
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
    expect((await fetch(`${app.url}/readyz`)).status).toBe(503);
  } finally {
    await open();
  }
  await expect.poll(async () => (await call('/v1/events')).status, { timeout: 20_000 }).toBe(200);
  expect((await call('/v1/events', { json: { action: 'a' } })).status).toBe(201);
  const { view } = await fetchFile(await endedExport(call, id));
  expect(view).toMatchObject({ rows: count, error: null });
}, 120_000);

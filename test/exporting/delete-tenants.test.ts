import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logsCheck } from '../../prisma/log/contradictions.ts';
import { addManyEvents } from '../add-events.ts';
import { type ApiProcess, startApiProcess } from '../api/api-process.ts';
import { bodyOf } from '../api/start-app.ts';
import { type Exporting, exportFile, queueExport, startExporting } from '../worker/export-fixture.ts';
import { type HeldRuns, holdRuns } from '../worker/hold-runs.ts';
import { keepWriting } from '../worker/keep-writing.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

const count = 100_000;

describe('The deletion of a tenant', () => {
  let app: Exporting;
  let runs: HeldRuns;
  let other: ApiProcess;
  const processes: WorkerProcess[] = [];
  beforeAll(async () => {
    app = await startExporting({ ...workerSettings, LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { worker: false });
    runs = await holdRuns(app.databaseUrl);
    other = await startApiProcess(app);
  }, 60_000);
  afterAll(async () => {
    for (const each of processes) await each.ended('SIGKILL');
    await other.ended('SIGTERM');
    await runs.close();
    await app.close();
  });

  const startProcess = () => {
    const started = startWorkerProcess(app);
    processes.push(started);
    return started;
  };
  const stored = async (tenantId: string) =>
    (await app.database.prisma.export.findMany({ where: { tenantId } })).map(({ storageKey }) => storageKey);
  const eventsOf = async (tenantId: string): Promise<number> =>
    (await app.database.pool.query('select count(*)::int as n from events where tenant_id = $1', [tenantId])).rows[0].n;

  /** A tenant with 100,000 events, a file, an export that runs, one that waits, and webhooks with deliveries. */
  async function makeTenant() {
    const made = await app.newTenant({ external_id: `leaving-${randomUUID()}` });
    await addManyEvents(app.database, made.tenant.id, { count, noiseBytes: 300 });
    const hook = { url: 'http://127.0.0.1:9999/hook' };
    const { id: webhook } = await bodyOf(made.call('/v1/webhooks', { json: hook }));
    await made.call(`/v1/webhooks/${webhook}/ping`, { method: 'POST' });
    const worker = startProcess();
    await exportFile(made.call, { format: 'ndjson', webhook: hook, filter: { through_sequence: 500 } });
    const running = await queueExport(made.call, { format: 'csv' });
    await runs.at([{ exportId: running, part: 3 }]);
    const headers = { 'idempotency-key': 'once' };
    await made.call('/v1/exports', { json: { format: 'json' }, headers });
    await runs.reached();
    return { ...made, worker, running };
  }

  it('ends what it does, and removes all that is stored of it, also when its worker is killed', async () => {
    const { tenant, call, key, worker } = await makeTenant();
    expect((await call('/v1/log/checkpoint')).status).toBe(200);
    const keys = [...(await stored(tenant.id)), `log/${tenant.id}/checkpoint`];
    for (const table of ['log_tiles', 'receipts']) expect(await rowsThatName(tenant.id)).toContain(table);
    expect(await app.deps.store.readText(keys.at(-1)!)).toContain(`/log/${tenant.id}\n`);
    const { token } = await bodyOf(
      app.admin('/auth/vendor', { json: { clientId: (await bodyOf(call('/v1/api-keys'))).data[0].id, secret: key } }),
    );
    const elsewhere = (credential: string) =>
      fetch(`${other.url}/v1/events?limit=1`, { headers: { authorization: `Bearer ${credential}` } });
    for (const credential of [key, token]) expect((await elsewhere(credential)).status).toBe(200);

    const deleted = await app.admin(`/v1/tenants/${tenant.id}`, { method: 'DELETE' });
    const begun = performance.now();
    expect([deleted.status, await bodyOf(deleted)]).toEqual([202, { ...tenant, status: 'deleting' }]);
    expect((await call('/v1/events', { json: { action: 'late' } })).status).toBe(401);
    for (const credential of [key, token]) {
      await expect.poll(async () => (await elsewhere(credential)).status, { timeout: 5_000 }).toBe(401);
    }
    expect(performance.now() - begun).toBeLessThan(5_000);
    await expectClosed(tenant.id, tenant.external_id!);

    await runs.release();
    const writing = keepWriting((await app.newTenant()).call);
    await expect.poll(() => eventsOf(tenant.id), { timeout: 60_000, interval: 5 }).toBeLessThan(count);
    await worker.ended('SIGKILL');
    expect(await eventsOf(tenant.id)).toBeGreaterThan(0);
    expect(await bodyOf(app.admin(`/v1/tenants/${tenant.id}`))).toMatchObject({ status: 'deleting' });
    startProcess();
    await expect.poll(async () => (await app.admin(`/v1/tenants/${tenant.id}`)).status, { timeout: 60_000 }).toBe(404);
    expect(await writing.longestMs()).toBeLessThan(1_000);

    expect(await rowsThatName(tenant.id)).toEqual([]);
    for (const each of keys) expect(await app.deps.store.statObject(each)).toBeUndefined();
    expect(await app.deps.store.listUploads()).toEqual([]);
    expect((await app.admin('/v1/tenants', { json: { name: 'Next', external_id: tenant.external_id } })).status).toBe(
      201,
    );
    await expectTold(tenant.id);
    await expect(logsCheck(app.database.pool).check()).resolves.toBeUndefined();
  }, 150_000);

  async function expectClosed(id: string, externalId: string): Promise<void> {
    const headers = { 'logferry-tenant': id };
    const audit = { action: 'a', severity: 'Info' };
    const refused = [
      app.admin(`/v1/tenants/${id}`, { method: 'PATCH', json: { name: 'x' } }),
      app.admin('/v1/events', { json: { action: 'late' }, headers }),
      app.admin('/v1/api-keys', { json: { name: 'late', tenant_id: id } }),
      app.admin('/v1/tenants', { json: { name: 'Next', external_id: externalId } }),
      app.admin('/audits', { json: audit, headers: { 'frontegg-tenant-id': externalId } }),
    ];
    for (const reply of refused) expect((await reply).status).toBe(409);
    expect((await app.admin(`/v1/tenants/${id}`, { method: 'DELETE' })).status).toBe(202);
  }

  async function expectTold(id: string): Promise<void> {
    const { data } = await bodyOf(app.admin('/v1/management-events?action=logferry.tenant.*&sort=sequence_number'));
    const about = data.filter((event: { target: { id: string } }) => event.target.id === id);
    expect(about).toMatchObject([
      { action: 'logferry.tenant.deletion_requested', actor: { type: 'management_key' } },
      { action: 'logferry.tenant.deleted', actor: { type: 'management_key' }, metadata: { plan: 'pro' } },
    ]);
    // Besides the 100,000, what was done to its keys, webhooks and exports.
    expect(about[1].metadata.events).toBeGreaterThanOrEqual(count);
  }

  /** Tables with rows of the tenant, whatever they are. */
  async function rowsThatName(id: string): Promise<string[]> {
    const { rows } = await app.database.pool.query<{ table_name: string }>(
      `select table_name from information_schema.columns where table_schema = 'public' and column_name = 'tenant_id'`,
    );
    const tables = [...rows.map((row) => [row.table_name, 'tenant_id'] as const), ['tenants', 'id'] as const];
    const found: string[] = [];
    for (const [table, column] of tables) {
      const { rowCount } = await app.database.pool.query(`select from "${table}" where ${column} = $1 limit 1`, [id]);
      if (rowCount) found.push(table);
    }
    expect(tables.length).toBeGreaterThan(8);
    return found;
  }

  it('is refused on legal hold, and possible after it', async () => {
    const { tenant } = await app.newTenant();
    const path = `/v1/tenants/${tenant.id}`;
    await app.admin(path, { method: 'PATCH', json: { legal_hold: true } });
    const refused = await app.admin(path, { method: 'DELETE' });
    expect([refused.status, (await bodyOf(refused)).detail]).toEqual([409, expect.stringContaining('legal hold')]);
    await app.admin(path, { method: 'PATCH', json: { legal_hold: false } });
    expect((await app.admin(path, { method: 'DELETE' })).status).toBe(202);
  });

  it('lets a stream of events that is being written end with a 404, and stores nothing of it', async () => {
    const { tenant, call } = await app.newTenant();
    let go = () => {};
    const wait = new Promise<void>((resolve) => {
      go = resolve;
    });
    const lines = '{"action":"a"}\n'.repeat(3_000);
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from(lines));
        await wait;
        controller.enqueue(Buffer.from(lines));
        controller.close();
      },
    });
    const headers = { 'content-type': 'application/x-ndjson' };
    const writing = call('/v1/events/batch', { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
    const gathering = `select from pg_class where relname = 'staged_events'`;
    await expect.poll(async () => (await app.database.pool.query(gathering)).rowCount).toBe(1);
    expect((await app.admin(`/v1/tenants/${tenant.id}`, { method: 'DELETE' })).status).toBe(202);
    go();
    expect((await writing).status).toBe(404);
    expect(await eventsOf(tenant.id)).toBe(0);
  });
});

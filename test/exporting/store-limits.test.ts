import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readinessChecks } from '../../core/health.ts';
import { StoreFullError } from '../../core/storage/store-full.ts';
import { pgSql } from '../../prisma/client.ts';
import { fullMark, openStoreRoom } from '../../prisma/exports/store-room.ts';
import { readStoredBytes } from '../../prisma/exports/stored-bytes.ts';
import { sweep } from '../../worker/sweep/sweep.ts';
import { addManyEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { leastPartMib } from '../engines.ts';
import { type Exporting, endedExport, fetchFile, queueExport, startExporting } from '../worker/export-fixture.ts';
import { type HeldRuns, holdRuns } from '../worker/hold-runs.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

const partBytes = leastPartMib * 2 ** 20;
const count = 3000;
/** Rows of a file of two parts and a half; all are six. */
const few = 1000;
const noiseBytes = 2300 * leastPartMib;
/** Bytes that all may store, and a tenant of the plan `enterprise`. */
const limits = { ofAll: 12 * partBytes, ofOne: 4 * partBytes };

describe('Limits of stored bytes', () => {
  let app: Exporting;
  let runs: HeldRuns;
  const calls = {} as Record<'small' | 'large', Call>;
  const processes: WorkerProcess[] = [];
  beforeAll(async () => {
    app = await startExporting(
      {
        ...workerSettings,
        LOGFERRY_STORE_LIMIT: String(limits.ofAll),
        LOGFERRY_PLAN_LIMITS: JSON.stringify({ enterprise: { stored_bytes: limits.ofOne } }),
      },
      { worker: false },
    );
    for (const [name, plan] of [['small', 'enterprise'] as const, ['large', 'pro'] as const]) {
      const made = await app.newTenant({ plan });
      calls[name] = made.call;
      await addManyEvents(app.database, made.tenant.id, { count, noiseBytes });
    }
    runs = await holdRuns(app.databaseUrl);
  }, 120_000);
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.ended('SIGKILL');
    await pool().query(`delete from settings where name = '${fullMark}'`);
    await pool().query('delete from exports');
    // Of exports that nobody knows any more: the sweep would take an hour.
    for (const upload of await store().listUploads()) await store().abortUpload(upload);
    // A sum that was read a moment ago is given again.
    await expect
      .poll(() => calls.large('/v1/exports', { json: { format: 'csv' } }).then(({ status }) => status))
      .toBe(202);
    await pool().query('delete from exports');
    for await (const page of store().listObjects('exports/'))
      for (const { key } of page) await store().deleteObject(key);
  });
  afterAll(async () => {
    await runs.close();
    await app.close();
  });

  const pool = () => app.database.pool;
  const store = () => app.deps.store;
  const stored = () => readStoredBytes(pgSql(pool()));
  const queue = (call: Call, rows = few) => queueExport(call, { format: 'csv', filter: { through_sequence: rows } });
  const startProcess = () => {
    const { LOGFERRY_STORE_LIMIT, LOGFERRY_PLAN_LIMITS } = app.deps.config;
    const started = startWorkerProcess(app, {
      LOGFERRY_STORE_LIMIT: String(LOGFERRY_STORE_LIMIT),
      LOGFERRY_PLAN_LIMITS: JSON.stringify(LOGFERRY_PLAN_LIMITS),
    });
    processes.push(started);
    return started;
  };

  it('fail the export that does not fit into those of its tenant, remove its parts, and let others go on', async () => {
    const worker = await app.work();
    const first = await endedExport(calls.small, await queue(calls.small));
    await fetchFile(first);
    const [tooLarge, others] = await Promise.all([queue(calls.small, count), queue(calls.large, count)]);
    const failed = await endedExport(calls.small, tooLarge);
    expect(failed).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'storage_full', retryable: false } });
    expect(failed.error!.message).toContain(`the plan has ${limits.ofOne} bytes`);
    const completed = await endedExport(calls.large, others);
    expect(completed.status).toBe('completed');
    expect(await store().listUploads()).toEqual([]);
    expect(await stored()).toBe(first.bytes! + completed.bytes!);
    const { resources } = await bodyOf(calls.small('/v1/limits'));
    expect(resources.stored_bytes).toMatchObject({
      limit: limits.ofOne,
      used: first.bytes,
      remaining: limits.ofOne - first.bytes!,
      reset: null,
    });
    // The storage itself has room.
    await openStoreRoom(app.database, limits.ofAll).check();
    await worker.stop();
  });

  it('refuse a new export when the tenant has nothing left, until one is deleted', async () => {
    const worker = await app.work();
    const { id } = await endedExport(calls.small, await queue(calls.small));
    await pool().query('update exports set bytes = $2 where id = $1', [id, limits.ofOne]);
    const post = () => calls.small('/v1/exports', { json: { format: 'csv' } });
    const refused = await post();
    expect(refused.status).toBe(429);
    expect(await bodyOf(refused)).toMatchObject({
      error: { type: 'plan_limit_exceeded', message: expect.stringContaining('Delete exports') },
      limit: { name: 'stored_bytes', limit: limits.ofOne, used: limits.ofOne },
    });
    expect((await calls.small(`/v1/exports/${id}`, { method: 'DELETE' })).ok).toBe(true);
    await expect.poll(async () => (await post()).status).toBe(202);
    await worker.stop();
  });

  it('answer 503 with Retry-After when all together reach them, and replay what was made before', async () => {
    const headers = { 'Idempotency-Key': 'before' };
    const post = (call: Call, more = {}) => call('/v1/exports', { json: { format: 'csv' }, ...more });
    const before = await bodyOf(post(calls.large, { headers }));
    const full = await queue(calls.large);
    await pool().query(
      `update exports set status = 'completed', bytes = $2, expires_at = now() + interval '1 day' where id = $1`,
      [full, limits.ofAll],
    );
    // The sum is a few seconds old at most.
    await expect.poll(async () => (await post(calls.small)).status).toBe(503);
    const refused = await post(calls.large);
    expect(refused.headers.get('retry-after')).toBe('60');
    expect((await bodyOf(refused)).error).toMatchObject({
      type: 'unavailable',
      message: expect.stringContaining('this deployment may store'),
    });
    const replayed = await post(calls.large, { headers });
    expect([replayed.status, (await bodyOf(replayed)).id]).toEqual([202, before.id]);
    const room = openStoreRoom(app.database, limits.ofAll);
    await expect(room.check()).rejects.toThrow(`All files together reach LOGFERRY_STORE_LIMIT (${limits.ofAll} bytes)`);
  });

  it('hold while two worker processes race for the last bytes, and leave nothing reserved', async () => {
    const owners = [calls.small, calls.large, calls.large, calls.small, calls.large, calls.large, calls.large];
    const ids = await Promise.all(owners.map((call) => queue(call)));
    startProcess();
    startProcess();
    let [greatest, hasEnded] = [0, false];
    const watching = (async () => {
      while (!hasEnded) greatest = Math.max(greatest, await stored());
    })();
    const views = await Promise.all(ids.map((id, i) => endedExport(owners[i]!, id)));
    hasEnded = true;
    await watching;
    const failed = views.filter(({ status }) => status === 'failed');
    expect(failed.length).toBeGreaterThan(0);
    for (const { error } of failed) expect(error).toMatchObject({ code: 'storage_full', retryable: false });
    expect(greatest).toBeGreaterThan(limits.ofAll / 2);
    expect(greatest).toBeLessThanOrEqual(limits.ofAll);
    const completed = views.filter(({ status }) => status === 'completed');
    await expect.poll(stored).toBe(completed.reduce((sum, { bytes }) => sum + bytes!, 0));
    await expect.poll(() => store().listUploads()).toEqual([]);
  }, 120_000);

  it('keep no room for a run that was killed: the next holds what it writes, and a cancel gives it back', async () => {
    const ids = [await queue(calls.large), await queue(calls.large)];
    await runs.at(ids.map((exportId) => ({ exportId, part: 2 })));
    const worker = startProcess();
    await runs.reached(2);
    expect(await worker.ended('SIGKILL')).toBe('SIGKILL');
    await runs.breakOff();
    // What may be stored of the parts under way counts on.
    expect(await stored()).toBeGreaterThanOrEqual(4 * partBytes);
    await pool().query(`update exports set lease_until = now() - interval '1 second' where status = 'running'`);
    await app.forgetJobs();
    await calls.large(`/v1/exports/${ids[1]}`, { method: 'DELETE' });
    await sweep(app.deps);
    expect(await stored()).toBeLessThan(4 * partBytes);
    const other = await app.work();
    const view = await endedExport(calls.large, ids[0]!);
    expect(view.status).toBe('completed');
    expect(await stored()).toBe(view.bytes);
    await other.stop();
  }, 120_000);

  it('give back what a run that fails for another reason has reserved and not written', async () => {
    let puts = 0;
    const worker = await app.work({
      store: {
        ...store(),
        async putPart(...given) {
          puts++;
          if (puts > 1) throw new Error('away for a moment');
          return store().putPart(...given);
        },
      },
    });
    const id = await queue(calls.large);
    await expect.poll(async () => (await bodyOf(calls.large(`/v1/exports/${id}`))).status).toBe('queued');
    const [{ written }] = (
      await pool().query('select coalesce(sum(bytes), 0) as written from checkpoints where export_id = $1', [id])
    ).rows as [{ written: string }];
    expect(await stored()).toBe(Number(written));
    await worker.stop();
  });

  it('are told apart from a storage that is full itself, of which the readiness of the API warns', async () => {
    const room = openStoreRoom(app.database, limits.ofAll);
    const storage = (process: 'api' | 'worker') =>
      readinessChecks(
        { ...app.deps, room, schema: app.deps.schema as never, logs: { check: async () => {} } },
        process,
      ).find(({ name }) => name === 'storage')!;
    await storage('api').check();
    const worker = await app.work({
      store: { ...store(), putPart: () => Promise.reject(new StoreFullError(new Error('no space left'))) },
    });
    const view = await endedExport(calls.large, await queue(calls.large));
    expect(view).toMatchObject({ status: 'failed', error: { code: 'storage_full' } });
    expect(await stored()).toBe(0);
    const failure = storage('api').check();
    await expect(failure).rejects.toThrow('The storage has refused a write for want of room');
    expect(storage('api').isBearable!(await failure.catch((error) => error))).toBe(true);
    await pool().query(`update settings set value = (now() - interval '11 minutes')::text where name = '${fullMark}'`);
    await storage('api').check();
    await worker.stop();
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeMetrics } from '../../core/metrics.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { takeSweep } from '../../prisma/exports/leftovers.ts';
import { keepSweeping } from '../../worker/sweep/keep-sweeping.ts';
import { removeOrphans } from '../../worker/sweep/remove-orphans.ts';
import { sweep } from '../../worker/sweep/sweep.ts';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { readMetrics, valueIn } from '../core/read-metrics.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';
import {
  type Exporting,
  endedExport,
  exportFile,
  type FinishedExport,
  queueExport,
  startExporting,
} from '../worker/export-fixture.ts';

describe('The sweep', () => {
  let app: Exporting;
  let call: Call;
  beforeAll(async () => {
    app = await startExporting(
      { LOGFERRY_SWEEP_SECONDS: '1', LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' },
      { worker: false },
    );
    const made = await app.newTenant();
    call = made.call;
    await addEvents(app.database, made.tenant.id, [{ action: 'a' }, { action: 'b' }]);
  });
  afterAll(() => app.close());

  const pool = () => app.database.pool;
  const sweepNow = (changes: Partial<Exporting['deps']> = {}) => sweep({ ...app.deps, ...changes });
  const rowOf = (id: string) => app.database.prisma.export.findUniqueOrThrow({ where: { id } });
  const finished = async (request: object = { format: 'csv' }): Promise<FinishedExport> => {
    const worker = await app.work();
    try {
      return await exportFile(call, request);
    } finally {
      await worker.stop();
    }
  };
  const lapse = (id: string) =>
    pool().query(`update exports set expires_at = now() - interval '1 second' where id = $1`, [id]);
  const allUploads = () => app.deps.store.listUploads();

  it('has exports run that nobody enqueued, all of them', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => queueExport(call, { format: 'csv' })));
    // As FLUSHALL would leave a queue.
    await app.forgetJobs();
    const worker = await app.work();
    for (const id of ids) expect(await endedExport(call, id)).toMatchObject({ status: 'completed', attempt: 1 });
    await worker.stop();
  });

  it('leaves exports alone that wait for their next try, or whose worker lives', async () => {
    const [waiting, held] = [await queueExport(call, { format: 'csv' }), await queueExport(call, { format: 'csv' })];
    await pool().query(`update exports set retry_at = now() + interval '1 hour' where id = $1`, [waiting]);
    await pool().query(
      `update exports set status = 'running', epoch = 1, lease_until = now() + interval '1 hour' where id = $1`,
      [held],
    );
    await app.forgetJobs();
    await sweepNow();
    const enqueued = await app.enqueuedExports();
    expect(enqueued).not.toContain(waiting);
    expect(enqueued).not.toContain(held);
    for (const id of [waiting, held]) await call(`/v1/exports/${id}`, { method: 'DELETE' });
    await pool().query(`update exports set status = 'canceled' where id = $1`, [held]);
  });

  it('ends the life of a file: gone from the storage, expired, and announced once', async () => {
    const receiver = await startWebhookReceiver();
    try {
      const { view } = await finished({ format: 'csv', webhook: { url: receiver.url } });
      const { storageKey } = await rowOf(view.id);
      await sweepNow();
      expect((await bodyOf(call(`/v1/exports/${view.id}`))).status).toBe('completed');
      await lapse(view.id);
      await Promise.all([sweepNow(), sweepNow(), sweepNow()]);
      await sweepNow();
      expect(await app.deps.store.statObject(storageKey)).toBeUndefined();
      expect(await rowOf(view.id)).toMatchObject({ status: 'expired', fileDeletedAt: expect.any(Date) });
      expect((await call(`/v1/exports/${view.id}/download`, { redirect: 'manual' })).status).toBe(410);
      expect((await fetch(view.download_url!)).status).toBe(404);
      const worker = await app.work();
      const types = () => receiver.received.map(({ body }) => JSON.parse(body).type).sort();
      await expect.poll(types, { timeout: 10_000 }).toEqual(['export.completed', 'export.expired']);
      await worker.stop();
      const expired = receiver.received
        .map(({ body }) => JSON.parse(body))
        .find((body) => body.type === 'export.expired');
      expect(expired.data).toMatchObject({ id: view.id, status: 'expired', download_url: null });
    } finally {
      await receiver.close();
    }
  });

  it('deletes the other files when one cannot be deleted, and that one later', async () => {
    const files = [await finished(), await finished(), await finished()];
    const keys = await Promise.all(files.map(async ({ view }) => (await rowOf(view.id)).storageKey));
    for (const { view } of files) await lapse(view.id);
    const { store } = app.deps;
    const refusing = {
      ...store,
      deleteObject: async (key: string) => {
        if (key === keys[0]) throw new Error('not this one');
        return store.deleteObject(key);
      },
    };
    await sweepNow({ store: refusing });
    const standing = async () => Promise.all(keys.map(async (key) => (await store.statObject(key)) !== undefined));
    expect(await standing()).toEqual([true, false, false]);
    await sweepNow();
    expect(await standing()).toEqual([false, false, false]);
  });

  it('gives back uploads of exports that failed or were canceled, and what they had published', async () => {
    const { store } = app.deps;
    for (const status of ['failed', 'canceled']) {
      const id = await queueExport(call, { format: 'csv' });
      const { storageKey } = await rowOf(id);
      const upload = await store.beginUpload(storageKey, 'text/csv');
      const published = await store.beginUpload(storageKey, 'text/csv');
      const part = await store.putPart(published, { partNumber: 1, offset: 0, body: [Buffer.from('x')] });
      await store.completeUpload(published, [part]);
      await pool().query('update exports set status = $2::export_status, upload_id = $3 where id = $1', [
        id,
        status,
        upload.uploadId,
      ]);
      await pool().query(
        `insert into checkpoints (export_id, part_number, epoch, etag, bytes, rows, position) values ($1, 1, 1, '', 1, 1, '{}')`,
        [id],
      );
      await sweepNow();
      expect(await allUploads()).toEqual([]);
      expect(await store.statObject(storageKey)).toBeUndefined();
      expect((await rowOf(id)).uploadId).toBeNull();
      expect(await app.database.prisma.checkpoint.count({ where: { exportId: id } })).toBe(0);
    }
  });

  it('gives back uploads of nobody: at once when their export has ended, later when it may be about to say they are its own', async () => {
    const { store } = app.deps;
    const aged = new Map<string, number>();
    const begin = async (key: string, minutes = 0): Promise<string> => {
      const { uploadId } = await store.beginUpload(key, 'text/csv');
      aged.set(uploadId, minutes);
      return uploadId;
    };
    const older = {
      ...store,
      listUploads: async () =>
        (await store.listUploads()).map((upload) => ({
          ...upload,
          begunAt: new Date(upload.begunAt.getTime() - (aged.get(upload.uploadId) ?? 0) * 60_000),
        })),
    };
    const { storageKey: ended } = await rowOf((await finished()).view.id);
    const id = await queueExport(call, { format: 'csv' });
    const { storageKey: unfinished } = await rowOf(id);
    const used = await begin(unfinished, 9999);
    await pool().query('update exports set upload_id = $2 where id = $1', [id, used]);
    const kept = [used, await begin(unfinished, 1), await begin('exports/unknown/events.csv', 30)];
    await begin(ended);
    await begin(unfinished, 10);
    await begin('exports/unknown/events.csv', 70);
    await sweepNow({ store: older });
    expect((await allUploads()).map(({ uploadId }) => uploadId).sort()).toEqual(kept.sort());
    for (const upload of await allUploads()) await store.abortUpload(upload);
  });

  describe('of files that no export knows', () => {
    const hours = (count: number) => count * 3_600_000;
    const put = async (key: string) => {
      const upload = await app.deps.store.beginUpload(key, 'text/csv');
      const part = await app.deps.store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from(key)] });
      await app.deps.store.completeUpload(upload, [part]);
      return key;
    };
    const keyOf = (tenantId: string = randomUUID(), id = randomUUID()) => `exports/${tenantId}/${id}/events.csv`;
    const standing = async (keys: string[]) => {
      const found = await Promise.all(keys.map((key) => app.deps.store.statObject(key)));
      return keys.filter((_, i) => found[i]);
    };
    /** The store, as it would tell of its files so many hours later. */
    const later = (ageHours: number, changes: Partial<ObjectStore> = {}): ObjectStore => ({
      ...app.deps.store,
      async *listObjects(...given) {
        for await (const page of app.deps.store.listObjects(...given)) {
          yield page.map(({ key, modifiedAt }) => ({
            key,
            modifiedAt: new Date(modifiedAt.getTime() - hours(ageHours)),
          }));
        }
      },
      ...changes,
    });
    const look = (store: ObjectStore, options = {}) => removeOrphans({ ...app.deps, store }, options);

    it('removes those of a day and nothing else: not younger ones, nor files of exports, nor what is not ours', async () => {
      const done = await finished();
      const { storageKey: finishedKey, tenantId } = await rowOf(done.view.id);
      const running = await queueExport(call, { format: 'csv' });
      const { storageKey: runningKey } = await rowOf(running);
      const kept = [
        finishedKey,
        await put(runningKey),
        // Another file of an export that is known.
        await put(`exports/${tenantId}/${running}/events.csv.gz`),
        await put(`log/${tenantId}/checkpoint`),
        await put(`log/${randomUUID()}/checkpoint`),
        await put(`exports/${randomUUID()}/notes.txt`),
        await put(`exports/${'-'.repeat(36)}/${'-'.repeat(36)}/events.csv`),
        await put(`exports/${randomUUID()}/${randomUUID()}/receipt.json`),
        await put(`inspect/${randomUUID()}`),
      ];
      const orphans = [await put(keyOf()), await put(keyOf(tenantId)), await put(`${keyOf()}.gz`)];
      await look(later(23));
      expect(await standing([...kept, ...orphans])).toEqual([...kept, ...orphans]);
      await look(later(25));
      expect(await standing([...kept, ...orphans])).toEqual(kept);
      await call(`/v1/exports/${running}`, { method: 'DELETE' });
      for (const key of kept.slice(1)) await app.deps.store.deleteObject(key);
    });

    it('removes none when the database does not answer', async () => {
      const orphan = await put(keyOf());
      const deaf = { ...app.database, pool: { query: async () => Promise.reject(new Error('away')) } as never };
      await expect(removeOrphans({ ...app.deps, database: deaf, store: later(25) })).rejects.toThrow('away');
      expect(await standing([orphan])).toEqual([orphan]);
      await app.deps.store.deleteObject(orphan);
    });

    it('goes on behind one that cannot be deleted, and says that it failed', async () => {
      const orphans = [await put(keyOf()), await put(keyOf()), await put(keyOf())].sort();
      const deleteObject = async (key: string) => {
        if (key === orphans[0]) throw new Error('not this one');
        await app.deps.store.deleteObject(key);
      };
      await expect(look(later(25, { deleteObject }), { pageSize: 1 })).rejects.toThrow('1 of 1 failed');
      expect(await standing(orphans)).toEqual(orphans.slice(0, 1));
      await look(later(25));
      expect(await standing(orphans)).toEqual([]);
    });

    it('ends in time and goes on where it stopped, page by page, until all has been looked through', async () => {
      const orphans = (await Promise.all(Array.from({ length: 6 }, () => put(keyOf())))).sort();
      const store = later(25);
      const left: number[] = [];
      for (let looks = 0; looks < 3; looks++) {
        await look(store, { limitMs: -1, pageSize: 2 });
        left.push((await standing(orphans)).length);
      }
      // Files of other exports may stand between them.
      expect(left[0]).toBeGreaterThanOrEqual(4);
      expect(left).toEqual([...left].sort((a, b) => b - a));
      await look(store, { pageSize: 2 });
      await look(store, { pageSize: 2 });
      expect(await standing(orphans)).toEqual([]);
      expect(await pool().query(`select from settings where name = 'orphans.looked_through'`)).toMatchObject({
        rowCount: 0,
      });
    });

    it('happens once an hour, however many workers start', async () => {
      let looks = 0;
      const store: ObjectStore = {
        ...app.deps.store,
        // biome-ignore lint/correctness/useYield: it finds nothing.
        async *listObjects() {
          looks++;
        },
      };
      await pool().query(`delete from settings where name = 'swept_at.removeOrphans'`);
      for (let starts = 0; starts < 3; starts++) {
        const metrics = makeMetrics();
        const sweeping = keepSweeping({ ...app.deps, store, metrics }, 1);
        const others = async () =>
          valueIn(readMetrics((await metrics.scrape()).text), 'logferry_sweep_duties_total', forgetting);
        await expect.poll(others, { timeout: 15_000 }).toBeGreaterThan(0);
        await sweeping.stop();
      }
      expect(looks).toBe(1);
      await pool().query(
        `update settings set value = (now() - interval '61 minutes')::text where name = 'swept_at.removeOrphans'`,
      );
      const sweeping = keepSweeping({ ...app.deps, store }, 1);
      await expect.poll(() => looks).toBe(2);
      await sweeping.stop();
    });
    const forgetting = { duty: 'forgetKeys', outcome: 'ok' };
  });

  it('is done by one of many workers at a time', async () => {
    const asked = await Promise.all(Array.from({ length: 10 }, () => takeSweep(app.database, 'any', 60)));
    expect(asked.filter(Boolean)).toHaveLength(1);
    expect(await takeSweep(app.database, 'another', 60)).toBe(true);
    await pool().query(`update settings set value = (now() - interval '61 seconds')::text where name = 'swept_at.any'`);
    expect(await takeSweep(app.database, 'any', 60)).toBe(true);
  });

  it('enqueues while the store hangs, and lets a worker stop', async () => {
    const never = () => new Promise<never>(() => {});
    const hanging = { ...app.deps.store, listUploads: never, deleteObject: never, abortUpload: never };
    const sweeping = keepSweeping({ ...app.deps, store: hanging }, 1);
    const id = await queueExport(call, { format: 'csv' });
    await app.forgetJobs();
    await expect.poll(app.enqueuedExports, { timeout: 15_000 }).toContain(id);
    await sweeping.stop();
    await call(`/v1/exports/${id}`, { method: 'DELETE' });
  });

  it('forgets idempotency keys after a day', async () => {
    const post = (key: string) => call('/v1/exports', { json: { format: 'csv' }, headers: { 'idempotency-key': key } });
    await post('old');
    await post('new');
    await pool().query(`update idempotency_keys set created_at = now() - interval '25 hours' where key = 'old'`);
    await sweepNow();
    const { rows } = await pool().query('select key from idempotency_keys');
    expect(rows).toEqual([{ key: 'new' }]);
  });

  it('does its other duties when the queue is down', async () => {
    const { view } = await finished();
    await lapse(view.id);
    await queueExport(call, { format: 'csv' });
    await pool().query(`update exports set created_at = now() - interval '1 minute' where status = 'queued'`);
    const down = { ...app.deps.queue, enqueueExport: async () => Promise.reject(new Error('down')) };
    await sweepNow({ queue: down });
    expect((await rowOf(view.id)).fileDeletedAt).not.toBeNull();
  });
});

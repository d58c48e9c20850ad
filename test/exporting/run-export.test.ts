import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FinalError } from '../../core/errors.ts';
import { isFull } from '../../core/storage/file/layout.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { tellWhenFull } from '../../core/storage/store-full.ts';
import type { ExportView } from '../../prisma/exports/view.ts';
import type { RunningWorker } from '../../worker/start-worker.ts';
import { addManyEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { leastPartMib } from '../engines.ts';
import { type Exporting, endedExport, fetchFile, queueExport, startExporting } from '../worker/export-fixture.ts';
import { workerSettings } from '../worker/worker-process.ts';

const count = 4000;

describe('A run of an export', () => {
  let app: Exporting;
  let call: Call;
  let store: ObjectStore;
  let worker: RunningWorker | undefined;
  beforeAll(async () => {
    app = await startExporting(workerSettings, { worker: false });
    store = app.deps.store;
    const made = await app.newTenant();
    call = made.call;
    await addManyEvents(app.database, made.tenant.id, { count, noiseBytes: 2000 * leastPartMib });
  });
  afterEach(async () => {
    await worker?.stop();
    worker = undefined;
    // Whatever became of a run, it has given its connections back.
    const { scans } = app.database;
    expect(scans.totalCount - scans.idleCount).toBe(0);
    expect(await allUploads()).toEqual([]);
  });
  afterAll(() => app.close());

  const workWith = async (changes: Partial<ObjectStore> = {}) => {
    worker = await app.work({ store: { ...store, ...changes } });
  };
  const queue = (request: object = { format: 'csv' }) =>
    queueExport(call, { ...request, filter: { through_sequence: count } });
  const rowOf = (id: string) => app.database.prisma.export.findUniqueOrThrow({ where: { id } });
  const viewOf = async (id: string): Promise<ExportView> => bodyOf(call(`/v1/exports/${id}`));
  const allUploads = () => store.listUploads();
  const setRow = (id: string, assignments: string) =>
    app.database.pool.query(`update exports set ${assignments} where id = $1`, [id]);

  /** A put that fails `times` times, once it has let some through. */
  const failingPut = (times: number, error: () => Error): Pick<ObjectStore, 'putPart'> => {
    let puts = 0;
    return {
      async putPart(upload, part) {
        puts++;
        if (puts > 2 && puts <= 2 + times) throw error();
        return store.putPart(upload, part);
      },
    };
  };

  it('that fails waits as queued with the error set, and is completed by the next with attempt 2', async () => {
    const id = await queue();
    const stream = await call(`/v1/exports/${id}/events`);
    await workWith(failingPut(1, () => new Error('secret.internal:9000 refused')));
    await expect.poll(() => viewOf(id)).toMatchObject({ status: 'queued', error: { retryable: true }, attempt: 2 });
    const { error } = await viewOf(id);
    expect(error).toEqual({ code: 'run_failed', message: expect.any(String), retryable: true });
    expect(error!.message).not.toContain('secret.internal');
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'completed', attempt: 2, error: null });
    await fetchFile(view);
    expect(await stream.text()).toMatch(/event: completed/);
  });

  it('that finds no room in the storage fails at once, with what it has written removed, and others go on', async () => {
    const id = await queue();
    const noRoom = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    await workWith(tellWhenFull({ ...store, ...failingPut(1, noRoom) }, isFull));
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'storage_full', retryable: false } });
    expect(await allUploads()).toEqual([]);
    expect(await endedExport(call, await queue())).toMatchObject({ status: 'completed' });
  });

  it('puts only the parts behind the last checkpoint when it goes on', async () => {
    const puts: { run: number; part: number }[] = [];
    let runs = 0;
    const id = await queue();
    await workWith({
      async beginUpload(...given) {
        runs++;
        return store.beginUpload(...given);
      },
      async putPart(upload, part) {
        const { failures } = await rowOf(id);
        puts.push({ run: failures, part: part.partNumber });
        if (failures === 0 && part.partNumber === 3) throw new Error('the third part is refused once');
        return store.putPart(upload, part);
      },
    });
    const view = await endedExport(call, id);
    await fetchFile(view);
    expect(runs).toBe(1);
    // Some are put at the same time, and each is written down once the database has said in which run.
    const second = puts.flatMap(({ run, part }) => (run === 1 ? part : [])).sort((a, b) => a - b);
    expect(second[0]).toBe(3);
    expect(second).toEqual(Array.from({ length: second.length }, (_, i) => i + 3));
  });

  it('is the fifth that fails: the export ends as failed with the error, and nothing is left', async () => {
    const id = await queue();
    await setRow(id, 'failures = 4');
    await workWith(failingPut(100, () => new Error('disk full')));
    expect(await endedExport(call, id)).toMatchObject({
      status: 'failed',
      attempt: 5,
      error: { code: 'run_failed', retryable: false },
      complete: null,
      download_url: null,
      rows: null,
    });
    expect((await call(`/v1/exports/${id}/download`, { redirect: 'manual' })).status).toBe(409);
  });

  it('ends the export at once for a failure that no repetition repairs', async () => {
    const id = await queue();
    await workWith(failingPut(1, () => new FinalError('too_odd', 'It is too odd.')));
    const error = { code: 'too_odd', message: 'It is too odd.', retryable: false };
    expect(await endedExport(call, id)).toMatchObject({ status: 'failed', attempt: 1, error });
  });

  it('makes the file again when the store has lost some of what it acknowledged', async () => {
    const id = await queue();
    let isFirst = true;
    await workWith({
      async completeUpload(...call) {
        const completion = await store.completeUpload(...call);
        const { object } = completion;
        if (!isFirst) return completion;
        isFirst = false;
        return { outcome: 'created', object: { ...object, bytes: object.bytes - 1 } };
      },
    });
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'completed', attempt: 2 });
    await fetchFile(view);
    expect(await allUploads()).toEqual([]);
  });

  it('never takes a foreign file under its key for its own', async () => {
    const id = await queue();
    const { storageKey } = await rowOf(id);
    const foreign = await store.beginUpload(storageKey, 'text/csv');
    const part = await store.putPart(foreign, { partNumber: 1, offset: 0, body: [Buffer.from('foreign')] });
    await store.completeUpload(foreign, [part]);
    await workWith();
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'failed', error: { code: 'stored_file_differs', retryable: false } });
  });

  it('is not begun under an export under which twenty workers died', async () => {
    const id = await queue();
    await setRow(id, `status = 'running', crashes = 19, lease_until = now() - interval '1 minute'`);
    await workWith();
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'failed', error: { code: 'worker_died', retryable: false } });
    expect(view.error!.message).toMatch(/20 workers/);
  });

  it('is begun under one under which nineteen died', async () => {
    const id = await queue();
    await setRow(id, `status = 'running', crashes = 18, lease_until = now() - interval '1 minute'`);
    await workWith();
    expect(await endedExport(call, id)).toMatchObject({ status: 'completed', attempt: 20 });
  });

  it('begins again when its upload has vanished', async () => {
    const id = await queue();
    await workWith({
      async putPart(upload, part) {
        if (part.partNumber === 4 && (await rowOf(id)).failures === 0) await store.abortUpload(upload);
        return store.putPart(upload, part);
      },
    });
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'completed', attempt: 2, rows: count });
    await fetchFile(view);
  });

  it('begins again when its upload has vanished while no worker was there', async () => {
    const id = await queue({ format: 'ndjson', compression: 'gzip' });
    const reached = Promise.withResolvers<void>();
    await workWith({
      async putPart(upload, part) {
        if (part.partNumber < 3) return store.putPart(upload, part);
        reached.resolve();
        throw new Error('not now');
      },
    });
    await reached.promise;
    await expect.poll(async () => (await rowOf(id)).status).toBe('queued');
    await worker!.stop();
    const { storageKey, uploadId } = await rowOf(id);
    await store.abortUpload({ key: storageKey, uploadId: uploadId! });
    await setRow(id, 'retry_at = null, failures = 0');
    await app.forgetJobs();
    await workWith();
    await fetchFile(await endedExport(call, id));
  });

  it('goes on when the reply to its completion was lost', async () => {
    const id = await queue();
    let completions = 0;
    await workWith({
      async completeUpload(upload, parts) {
        const done = await store.completeUpload(upload, parts);
        if (++completions === 1) throw new Error('the connection broke');
        return done;
      },
    });
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'completed', attempt: 2 });
    expect(completions).toBe(2);
    await fetchFile(view);
  });

  it('is of a whole file when it goes on behind the last part, wherever that was cut', async () => {
    const counts = [1, 200, 350, 500, 650, 800, 950];
    const ids = await Promise.all(
      counts.map((through_sequence) => queueExport(call, { format: 'json', filter: { through_sequence } })),
    );
    const failed = new Set<string>();
    await workWith({
      async completeUpload(upload, parts) {
        if (failed.has(upload.key)) return store.completeUpload(upload, parts);
        failed.add(upload.key);
        throw new Error('not yet');
      },
    });
    for (const [index, id] of ids.entries()) {
      const { text, view } = await fetchFile(await endedExport(call, id));
      expect(view.attempt).toBe(2);
      expect(JSON.parse(text)).toHaveLength(counts[index]!);
    }
  });

  it('goes on when its connections to the database are cut', async () => {
    const id = await queue();
    let isCut = false;
    await workWith({
      async putPart(upload, part) {
        if (part.partNumber === 3 && !isCut) {
          isCut = true;
          await app.database.pool.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'logferry-export'`,
          );
        }
        return store.putPart(upload, part);
      },
    });
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ status: 'completed', rows: count });
    await fetchFile(view);
  });

  describe('that is canceled', () => {
    /** A store that stops at part 3, or where the file is made visible, until it is told to go on. */
    const holdAt = (where: 'putPart' | 'completeUpload') => {
      const reached = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const hold = async () => {
        reached.resolve();
        await gate.promise;
      };
      const changes: Partial<ObjectStore> =
        where === 'putPart'
          ? {
              async putPart(upload, part) {
                if (part.partNumber === 3) await hold();
                return store.putPart(upload, part);
              },
            }
          : {
              async completeUpload(upload, parts) {
                await hold();
                return store.completeUpload(upload, parts);
              },
            };
      return { changes, reached: reached.promise, goOn: gate.resolve };
    };

    const expectNothingLeft = async (id: string) => {
      expect(await viewOf(id)).toMatchObject({ status: 'canceled', complete: null, rows: null, download_url: null });
      expect(await allUploads()).toEqual([]);
      await expect.poll(async () => store.statObject((await rowOf(id)).storageKey)).toBeUndefined();
    };

    it.each(['cancel', 'delete'])('by %s stops within 5 seconds and leaves no part and no file', async (how) => {
      const id = await queue();
      const { changes, reached, goOn } = holdAt('putPart');
      await workWith(changes);
      await reached;
      const started = performance.now();
      const reply =
        how === 'cancel'
          ? await call(`/v1/exports/${id}/cancel`, { method: 'POST' })
          : await call(`/v1/exports/${id}`, { method: 'DELETE' });
      expect(reply.status).toBe(how === 'cancel' ? 202 : 204);
      // The storage takes another second over its part; the run must not be heard of again after that.
      await expect.poll(async () => (await rowOf(id)).leaseUntil).not.toBeNull();
      goOn();
      expect((await endedExport(call, id)).status).toBe('canceled');
      expect(performance.now() - started).toBeLessThan(5000);
      await expectNothingLeft(id);
    });

    it.each(['cancel', 'delete'])('by %s at the very end does not end as completed', async (how) => {
      const id = await queue();
      const { changes, reached, goOn } = holdAt('completeUpload');
      await workWith(changes);
      await reached;
      if (how === 'cancel') await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
      else await call(`/v1/exports/${id}`, { method: 'DELETE' });
      goOn();
      await endedExport(call, id);
      await expectNothingLeft(id);
    });

    it('while it waits for another try is canceled at once', async () => {
      const id = await queue();
      await workWith(failingPut(100, () => new Error('no')));
      await expect.poll(() => viewOf(id)).toMatchObject({ status: 'queued', error: { retryable: true } });
      const reply = await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
      expect(await bodyOf(reply)).toMatchObject({ status: 'canceled' });
      await worker!.stop();
      await workWith();
      await expectGone(id);
    });

    // The worker before may have swept a moment ago, and then the next sweep is a second away.
    const expectGone = (id: string) =>
      expect.poll(async () => (await rowOf(id)).uploadId, { timeout: 5_000 }).toBeNull();

    it('while its worker is dead is canceled at once, and the parts go with the next sweep', async () => {
      const id = await queue();
      const upload = await store.beginUpload((await rowOf(id)).storageKey, 'text/csv');
      await setRow(
        id,
        `status = 'running', epoch = 1, lease_until = now() - interval '1 minute', upload_id = '${upload.uploadId}'`,
      );
      const reply = await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
      expect(await bodyOf(reply)).toMatchObject({ status: 'canceled' });
      await workWith();
      await expectGone(id);
      await expectNothingLeft(id);
    });
  });
});

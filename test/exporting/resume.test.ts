import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ExportView } from '../../prisma/exports/view.ts';
import { addManyEvents } from '../add-events.ts';
import type { Call } from '../api/start-app.ts';
import { leastPartMib } from '../engines.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';
import {
  type Exporting,
  endedExport,
  type FinishedExport,
  fetchFile,
  queueExport,
  startExporting,
} from '../worker/export-fixture.ts';
import { type HeldRuns, holdRuns } from '../worker/hold-runs.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

const seed = Number(process.env.TEST_SEED ?? 20251122);
const count = 16_000;
/** Enough for twelve parts and more of each file, compressed ones too, which are half as long. */
const noiseBytes = leastPartMib === 1 ? 2000 : 8000;
/** One of each way of writing, and of each way of walking: by time, by number, and an increment read at once. */
const requests: { format: string; compression: string; sort?: object[]; filter?: object; csv?: object }[] = [
  { format: 'csv', compression: 'none', csv: { formulas: 'neutralize' } },
  { format: 'ndjson', compression: 'gzip', sort: [{ field: 'sequence_number', direction: 'desc' }] },
  { format: 'json', compression: 'zstd', filter: { after_sequence: 0 } },
];

describe('An export whose worker', () => {
  let app: Exporting;
  let call: Call;
  let runs: HeldRuns;
  let undisturbed: FinishedExport[];
  let parts: number[];
  const processes: WorkerProcess[] = [];

  const startProcess = (environment?: Record<string, string>) => {
    const started = startWorkerProcess(app, environment);
    processes.push(started);
    return started;
  };
  // What is audited comes after the events, so each export is of the same rows.
  const queue = (request: { filter?: object; [member: string]: unknown }) =>
    queueExport(call, { ...request, filter: { ...request.filter, through_sequence: count } });

  beforeAll(async () => {
    app = await startExporting({ ...workerSettings, LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { worker: false });
    const made = await app.newTenant();
    call = made.call;
    await addManyEvents(app.database, made.tenant.id, { count, noiseBytes });
    await app.database.pool.query(`update events set actor_type = '=user' where sequence_number % 3 = 0`);
    runs = await holdRuns(app.databaseUrl);
    const worker = await app.work();
    const ids = await Promise.all(requests.map(queue));
    undisturbed = await Promise.all(ids.map(async (id) => fetchFile(await endedExport(call, id))));
    await worker.stop();
    const [csv, ndjson, json] = undisturbed as [FinishedExport, FinishedExport, FinishedExport];
    const rows = [csv.text.split('\r\n').length - 2, ndjson.text.split('\n').length - 1, JSON.parse(json.text).length];
    expect(rows).toEqual([count, count, count]);
    expect(csv.view.neutralized_cells).toBe(Math.floor(count / 3));
    parts = [];
    for (const id of ids) parts.push((await runs.written(id)).length);
  }, 90_000);
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.ended('SIGKILL');
  });
  afterAll(async () => {
    await runs.close();
    await app.close();
  });

  /** As if the lease had run out by itself and the queue had forgotten the job: saves the tests half a minute each. */
  const forgetWorker = async () => {
    await app.database.pool.query(
      `update exports set lease_until = now() - interval '1 second' where status = 'running'`,
    );
    await app.forgetJobs();
  };
  /** Waits until the worker holds at all points; says what it logged if it ends instead. */
  const reachedBy = (worker: WorkerProcess, points = 1): Promise<void> =>
    Promise.race([
      runs.reached(points),
      worker.ended().then((how) => {
        throw new Error(`The worker ended (${how}): ${JSON.stringify(worker.entries)}`);
      }),
    ]);

  const rowOf = (id: string) => app.database.prisma.export.findUniqueOrThrow({ where: { id } });

  const expectSame = async (view: ExportView, index: number): Promise<void> => {
    const file = await fetchFile(view);
    const clean = undisturbed[index]!;
    expect(file.view.sha256).toBe(clean.view.sha256);
    expect(file.stored.equals(clean.stored)).toBe(true);
    expect(file.view.rows).toBe(count);
    expect(file.view.neutralized_cells).toBe(clean.view.neutralized_cells);
  };

  it('is killed ten times at seeded points is the same file to the byte, whatever its format', async () => {
    for (const each of parts) expect(each).toBeGreaterThan(11);
    const ids = await Promise.all(requests.map(queue));
    const [points, losses] = fc.sample(
      fc.tuple(fc.tuple(...parts.map((each) => tenOf(each))), fc.array(fc.boolean(), { minLength: 10, maxLength: 10 })),
      { numRuns: 1, seed },
    )[0]!;
    for (const [nth, isLost] of losses.entries()) {
      await runs.at(ids.map((exportId, index) => ({ exportId, part: points[index]![nth]! })));
      const worker = startProcess();
      await reachedBy(worker, ids.length);
      expect(await worker.ended('SIGKILL')).toBe('SIGKILL');
      // The checkpoint under way is either lost with its worker, or written although nobody is left to hear of it.
      await (isLost ? runs.breakOff() : runs.release());
      await forgetWorker();
    }
    startProcess();
    for (const [index, id] of ids.entries()) {
      const view = await endedExport(call, id);
      expect(view).toMatchObject({ status: 'completed', attempt: 11, error: null, resumable: true });
      await expectSame(view, index);
      await expectNothingTwice(id, parts[index]!);
    }
    expect(await app.deps.store.listUploads()).toEqual([]);
  }, 150_000);

  /** No run writes a part again that a run before had a checkpoint of. */
  async function expectNothingTwice(exportId: string, partCount: number): Promise<void> {
    const written = await runs.written(exportId);
    expect(written.map(({ part }) => part)).toEqual(Array.from({ length: partCount }, (_, i) => i + 1));
  }

  it('is killed goes on within 30 seconds of another worker being there, without help', async () => {
    const id = await queue(requests[0]!);
    await runs.at([{ exportId: id, part: 5 }]);
    const worker = startProcess();
    await reachedBy(worker);
    await worker.ended('SIGKILL');
    await runs.breakOff();
    const started = performance.now();
    startProcess();
    const view = await endedExport(call, id);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(view.attempt).toBe(2);
    await expectSame(view, 0);
  }, 60_000);

  it('is killed between completion in the storage and in the database is completed once', async () => {
    const receiver = await startWebhookReceiver();
    try {
      const id = await queue({ ...requests[1], webhook: { url: receiver.url } });
      await runs.at([{ exportId: id }]);
      const worker = startProcess();
      await reachedBy(worker);
      const { storageKey } = await rowOf(id);
      const standing = await app.deps.store.statObject(storageKey);
      expect(standing).toBeDefined();
      await worker.ended('SIGKILL');
      await runs.breakOff();
      await forgetWorker();
      startProcess();
      await expectSame(await endedExport(call, id), 1);
      expect(await app.deps.store.statObject(storageKey)).toEqual(standing);
      await expectOneDelivery(id, receiver);
    } finally {
      await receiver.close();
    }
  }, 60_000);

  async function expectOneDelivery(id: string, { received }: Awaited<ReturnType<typeof startWebhookReceiver>>) {
    await expect.poll(() => received.length, { timeout: 10_000 }).toBeGreaterThan(0);
    const { rows } = await app.database.pool.query('select id, type from deliveries where export_id = $1', [id]);
    expect(rows).toEqual([{ id: expect.any(String), type: 'export.completed' }]);
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([rows[0].id]));
  }

  it('is told to stop is handed back: no attempt is spent, and another worker goes on', async () => {
    const id = await queue(requests[2]!);
    await runs.at([{ exportId: id, part: 6 }]);
    const worker = startProcess();
    await reachedBy(worker);
    worker.signal('SIGTERM');
    await runs.release();
    const started = performance.now();
    expect(await worker.ended()).toBe(0);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await rowOf(id)).toMatchObject({ status: 'queued', failures: 0, crashes: 0, error: null, leaseUntil: null });
    const handedOver = (await runs.written(id)).length;
    expect(handedOver).toBeGreaterThanOrEqual(6);
    expect(handedOver).toBeLessThan(parts[2]!);
    startProcess();
    const view = await endedExport(call, id);
    expect(view.attempt).toBe(1);
    await expectSame(view, 2);
    await expectNothingTwice(id, parts[2]!);
  }, 60_000);

  it('is paused beyond its lease and wakes again is completed once, by the other', async () => {
    const receiver = await startWebhookReceiver();
    try {
      const id = await queue({ ...requests[0], webhook: { url: receiver.url } });
      await runs.at([{ exportId: id, part: 4 }]);
      const zombie = startProcess();
      await reachedBy(zombie);
      zombie.signal('SIGSTOP');
      await runs.release();
      await forgetWorker();
      await runs.at([{ exportId: id, part: 9 }]);
      await reachedBy(startProcess());
      zombie.signal('SIGCONT');
      await zombie.logged('another run has taken the export over');
      await runs.release();
      const view = await endedExport(call, id);
      expect(view.attempt).toBe(2);
      await expectSame(view, 0);
      await expectOneDelivery(id, receiver);
      const before = await rowOf(id);
      expect(await zombie.ended('SIGTERM')).toBe(0);
      expect(await rowOf(id)).toEqual(before);
      expect(new Set((await runs.written(id)).map(({ part }) => part)).size).toBe(parts[0]);
      await fetchFile(view);
    } finally {
      await receiver.close();
    }
  }, 60_000);

  it('is killed while it sorts without an index starts again, says so, and is right', async () => {
    const sort = [{ field: 'target.id', direction: 'desc' }];
    const id = await queue({ format: 'csv', sort });
    await runs.at([{ exportId: id, part: 3 }]);
    const worker = startProcess();
    await reachedBy(worker);
    await worker.ended('SIGKILL');
    await runs.release();
    await forgetWorker();
    startProcess();
    const view = await endedExport(call, id);
    expect(view).toMatchObject({ resumable: false, attempt: 2, rows: count });
    const { text } = await fetchFile(view);
    const targets = [...text.matchAll(/,file,(file-\d+),/g)].map((match) => match[1]!);
    const expected = Array.from({ length: count }, (_, i) => `file-${i + 1}`)
      .sort()
      .reverse();
    expect(targets).toEqual(expected);
    expect(await app.deps.store.listUploads()).toEqual([]);
  }, 60_000);
});

/** Ten different numbers of parts from 1 to `most`, ascending. */
const tenOf = (most: number): fc.Arbitrary<number[]> =>
  fc
    .uniqueArray(fc.integer({ min: 1, max: most }), { minLength: 10, maxLength: 10 })
    .map((numbers) => numbers.sort((a, b) => a - b));

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { filesWith } from '../prisma/files-with.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';
import { holdErasures } from '../worker/hold-erasures.ts';
import { keepWriting } from '../worker/keep-writing.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

/** More for those who measure: a million events, and five seeds. */
const count = Number(process.env.TEST_ERASING_EVENTS ?? 20_000);
const seeds = Number(process.env.TEST_ERASING_SEEDS ?? 1);
const killedCount = 6_000;
const minutes = 60_000;

/** One in ten goes. `goes-` stands in every value of those, in every compartment that can be erased, and nowhere else. */
const eventOf = (n: number) => {
  const it = n % 10 === 0 ? 'goes' : 'stays';
  return {
    action: `thing.${it}`,
    actor: { id: `${it}-actor`, type: 'user', name: `${it}-name`, email: `${it}-mail-${n}@example.com` },
    target: { type: 'thing', id: `${it}-target-${n}` },
    context: { ip: '192.0.2.1', user_agent: `${it}-agent`, more: `${it}-context` },
    description: `${it}-text ${'x'.repeat(n % 1000 === 0 ? 5000 : 10)}`,
    diff: { before: { [`${it}-name`]: 1 } },
    metadata: { n, of: `${it}-detail` },
  };
};
const request = {
  filter: { actor_id: 'goes-actor' },
  compartments: ['actor', 'person', 'context', 'target', 'detail'],
  reason: 'Ten in a hundred',
};

describe('An erasure of many events', () => {
  let app: Exporting;
  const processes: WorkerProcess[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'logferry-erased-'));
  beforeAll(async () => {
    app = await startExporting(workerSettings, { worker: false });
  });
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.ended('SIGKILL');
  });
  afterAll(async () => {
    await app.close();
    rmSync(directory, { recursive: true });
  });

  const startProcess = (): WorkerProcess => {
    const started = startWorkerProcess(app);
    processes.push(started);
    return started;
  };
  async function newLog(events: number) {
    const made = await app.newTenant();
    for (let from = 0; from < events; from += 50_000)
      await addEvents(
        app.database,
        made.tenant.id,
        Array.from({ length: Math.min(50_000, events - from) }, (_, n) => eventOf(from + n)),
      );
    return made;
  }
  const ended = async (call: Call, id: string) => {
    const read = () => bodyOf(call(`/v1/erasures/${id}`));
    await expect.poll(read, { timeout: 6 * minutes, interval: 20 }).toMatchObject({ completed_at: expect.any(String) });
    return read();
  };
  const isValid = async (call: Call) => (await bodyOf(call('/v1/verify'))).data.status === 'valid';

  it.each(Array.from({ length: seeds }, (_, n) => n + 1))(
    'goes on where it was when its worker is killed, three times, and counts each event once (seed %d)',
    async (seed) => {
      const { call, tenant } = await newLog(killedCount);
      const held = await holdErasures(app.databaseUrl);
      try {
        const { id } = await bodyOf(call('/v1/erasures', { json: request }));
        const points = fc.sample(
          fc.uniqueArray(fc.integer({ min: 0, max: killedCount - 600 }), { minLength: 3, maxLength: 3 }),
          {
            numRuns: 1,
            seed,
          },
        )[0]!;
        for (const point of points.toSorted((a, b) => a - b)) {
          await held.past(point);
          const killed = startProcess();
          await held.reached().catch((error) => {
            throw new Error(`${error}: ${JSON.stringify(killed.entries)}`);
          });
          await killed.ended('SIGKILL');
          await held.release();
          // As if the lease had run out by itself and the queue had forgotten the job: saves half a minute each.
          await app.database.pool.query(`update erasures set lease_until = now() - interval '1 second'`);
          await app.forgetJobs();
          await app.deps.queue.enqueueExport(id);
          expect(await bodyOf(call(`/v1/erasures/${id}`))).toMatchObject({ status: 'running', matched: null });
        }
        startProcess();
        expect(await ended(call, id)).toMatchObject({
          status: 'completed',
          matched: killedCount / 10,
          erased: killedCount / 10,
        });
        expect(await isValid(call)).toBe(true);
        const { rows } = await app.database.pool.query(
          `select count(*) filter (where erased is not null)::int as erased, count(*) filter (where to_json(events)::text like '%goes-%')::int as left
           from events where tenant_id = $1`,
          [tenant.id],
        );
        expect(rows).toEqual([{ erased: killedCount / 10, left: 0 }]);
      } finally {
        await held.close();
      }
    },
    4 * minutes,
  );

  it(
    'keeps no writer waiting, leaves no byte behind, and breaks no proof of what was exported before',
    async () => {
      const { call, tenant } = await newLog(count);
      const worker = await app.work();
      const before = await exportFile(call, { format: 'ndjson' });
      await worker.stop();
      await app.database.pool.query('analyze events; checkpoint');
      expect(await filesWith(app.database, 'goes-name')).not.toEqual([]);

      const writing = keepWriting(call);
      const { id } = await bodyOf(call('/v1/erasures', { json: { ...request, delete_files: true } }));
      startProcess();
      await expect
        .poll(async () => (await bodyOf(call(`/v1/erasures/${id}`))).status, { timeout: minutes, interval: 5 })
        .not.toBe('queued');
      const begun = performance.now();
      const done = await ended(call, id);
      const seconds = (performance.now() - begun) / 1000;
      const longestMs = await writing.longestMs();
      if (process.env.TEST_ERASING_EVENTS) console.log({ count, erased: done.erased, seconds, longestMs });
      expect(done).toMatchObject({ matched: count / 10, erased: count / 10, exports: [before.view.id] });
      expect(longestMs).toBeLessThan(1_000);

      expect(await isValid(call)).toBe(true);
      const { rows } = await app.database.pool.query(
        'select 1 from events where tenant_id = $1 and erased is not null',
        [tenant.id],
      );
      expect(rows).toHaveLength(count / 10);
      await app.database.pool.query('vacuum full');
      await app.database.pool.query('checkpoint');
      expect(await filesWith(app.database, 'goes-')).toEqual([]);
      expect(await filesWith(app.database, 'stays-name')).not.toEqual([]);
      await expect.poll(async () => (await fetch(before.view.download_url!)).status).toBe(404);

      expect(await checked('before', before.bytes)).toContain(`${count} events intact, 1 to ${count} without a gap`);
      const after = await exportFile(call, { format: 'ndjson', filter: { through_sequence: count } });
      expect(after.text).not.toContain('goes-');
      const told = await checked('after', after.bytes);
      expect(told).toContain(`${count} events intact, 1 to ${count} without a gap`);
      const [lastHash] = /the last hash is \w+/.exec(told)!;
      expect(await checked('before', before.bytes)).toContain(lastHash);
    },
    20 * minutes,
  );

  /** What the program of docs/verify.md says of a file. */
  async function checked(name: string, bytes: Buffer): Promise<string> {
    const [, program] = /^```js\n(.*?)^```$/ms.exec(
      readFileSync(join(import.meta.dirname, '../../docs/verify.md'), 'utf8'),
    )!;
    const [script, file] = [join(directory, 'verify.mjs'), join(directory, `${name}.ndjson`)];
    writeFileSync(script, program!);
    writeFileSync(file, bytes);
    return (await promisify(execFile)(process.execPath, [script, file])).stdout;
  }
});

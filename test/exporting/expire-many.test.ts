import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../add-events.ts';
import { bodyOf } from '../api/start-app.ts';
import { filesWith } from '../prisma/files-with.ts';
import { type Exporting, startExporting } from '../worker/export-fixture.ts';
import { keepWriting } from '../worker/keep-writing.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

/** More for those who measure: half a million go at some 20,000 a second. */
const count = Number(process.env.TEST_EXPIRING_EVENTS ?? 40_000);
const minutes = 60_000;

describe('Retention of many events', () => {
  let app: Exporting;
  const processes: WorkerProcess[] = [];
  beforeAll(async () => {
    app = await startExporting(workerSettings, { worker: false });
  });
  afterAll(async () => {
    for (const each of processes) await each.ended('SIGKILL');
    await app.close();
  });

  const one = async (text: string, values: unknown[] = []) =>
    Object.values((await app.database.pool.query(text, values)).rows[0])[0];

  it(
    'keeps no writer waiting, goes on when its worker is killed, and leaves no byte of them',
    async () => {
      const { tenant, call } = await app.newTenant();
      await addManyEvents(app.database, tenant.id, { count, receivedAt: '2025-01-01' });
      // Beside values that every event has: of the last one, in its row, in an index and out of line.
      const marker = `${tenant.id}-`.repeat(700);
      await app.database.pool.query(
        'update events set description = $2, actor_id = $3 where tenant_id = $1 and sequence_number = $4',
        [tenant.id, marker, 'nobody-but-this-one', count],
      );
      const left = () =>
        one('select count(*)::int from events where tenant_id = $1 and sequence_number <= $2', [tenant.id, count]);
      const writing = keepWriting(call);
      await app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json: { retention_days: 30 } });
      const begun = performance.now();
      const killed = startWorkerProcess(app);
      processes.push(killed);
      await expect.poll(left, { timeout: 2 * minutes, interval: 10 }).toBeLessThan(count);
      await killed.ended('SIGKILL');
      const atKill = await left();
      expect(atKill).toBeGreaterThan(0);
      processes.push(startWorkerProcess(app));
      await expect.poll(left, { timeout: 5 * minutes, interval: 50 }).toBe(0);
      const seconds = (performance.now() - begun) / 1000;
      const longestMs = await writing.longestMs();
      if (process.env.TEST_EXPIRING_EVENTS) console.log({ count, atKill, seconds, longestMs });
      expect(longestMs).toBeLessThan(1_000);

      const told = () => bodyOf(call('/v1/events?action=logferry.events.expired'));
      await expect.poll(told).toMatchObject({ data: [{ metadata: { through_sequence: count, count } }] });
      await app.database.pool.query('vacuum full');
      await app.database.pool.query('checkpoint');
      expect(await filesWith(app.database, marker.slice(0, 200))).toEqual([]);
      expect(await filesWith(app.database, 'nobody-but-this-one')).toEqual([]);
      // What is looked for would be found.
      expect(await filesWith(app.database, 'written.meanwhile')).not.toEqual([]);
    },
    8 * minutes,
  );
});

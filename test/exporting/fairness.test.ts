import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../add-events.ts';
import type { Call } from '../api/start-app.ts';
import {
  type Exporting,
  endedExport,
  exportFile,
  fetchFile,
  queueExport,
  startExporting,
} from '../worker/export-fixture.ts';

/** (Σx)² / (n · Σx²): 1 when all have the same, 1/n when one has everything (Jain, Chiu and Hawe, 1984). */
const jainIndex = (shares: number[]): number => {
  const sum = shares.reduce((a, b) => a + b, 0);
  return sum ** 2 / (shares.length * shares.reduce((squares, share) => squares + share ** 2, 0));
};

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

describe('Tenants', () => {
  let app: Exporting;
  beforeAll(async () => {
    const settings = {
      LOGFERRY_EXPORT_CONCURRENCY: '2',
      LOGFERRY_YIELD_SECONDS: '1',
      LOGFERRY_SEGMENT_ROWS: '2000',
      LOGFERRY_PART_MIB: '5',
    };
    app = await startExporting(settings, { worker: false });
  });
  afterAll(() => app.close());

  const tenantWith = async (count: number, noiseBytes = 64): Promise<Call> => {
    const { tenant, call } = await app.newTenant();
    await addManyEvents(app.database, tenant.id, { count, noiseBytes });
    return call;
  };
  /** In the order in which their first runs began. */
  const startedIds = async (): Promise<string[]> => {
    const { rows } = await app.database.pool.query(
      'select id from exports where started_at is not null order by started_at',
    );
    return rows.map(({ id }) => id);
  };

  it('with one small export wait for two slots at most, behind two hundred of another', async () => {
    const [many, one] = [await tenantWith(500), await tenantWith(10)];
    await Promise.all(Array.from({ length: 200 }, () => queueExport(many, { format: 'csv' })));
    const small = await queueExport(one, { format: 'csv' });
    const worker = await app.work();
    await endedExport(one, small);
    expect((await startedIds()).indexOf(small)).toBeLessThanOrEqual(2);
    await worker.stop();
    await app.database.pool.query(`update exports set status = 'canceled' where status in ('queued', 'running')`);
  }, 60_000);

  it('that are equal get equal shares of the rows, whoever came first', async () => {
    const rows = 300;
    const calls = await Promise.all(Array.from({ length: 10 }, () => tenantWith(rows)));
    const owners = new Map<string, number>();
    for (const [tenant, call] of calls.entries()) {
      for (let i = 0; i < 12; i++) owners.set(await queueExport(call, { format: 'csv' }), tenant);
    }
    const workers = [await app.work(), await app.work()];
    const half = owners.size / 2;
    const doneIds = async () => {
      const { rows } = await app.database.pool.query(
        `select id from exports where id = any($1) and status = 'completed' order by completed_at`,
        [[...owners.keys()]],
      );
      return rows.map(({ id }) => id as string);
    };
    await expect.poll(async () => (await doneIds()).length, { timeout: 40_000 }).toBeGreaterThanOrEqual(half);
    const shares = calls.map(() => 0);
    for (const id of (await doneIds()).slice(0, half)) shares[owners.get(id)!]! += rows;
    expect(jainIndex(shares)).toBeGreaterThanOrEqual(0.95);
    await expect.poll(async () => (await doneIds()).length, { timeout: 40_000 }).toBe(owners.size);
    for (const worker of workers) await worker.stop();
  }, 100_000);

  it('with long exports give way at a part, and go on behind it', async () => {
    const [long, other] = [await tenantWith(15_000, 2048), await tenantWith(10)];
    const whole = await exportedAtOnce(long);
    const { store } = app.deps;
    const gate = Promise.withResolvers<void>();
    const slow: typeof store = {
      ...store,
      async putPart(upload, part, { signal } = {}) {
        if (part.partNumber > 2) await Promise.race([gate.promise, aborted(signal!)]);
        return store.putPart(upload, part, { signal });
      },
    };
    const worker = await app.work({ store: slow });
    const ids = [await queueExport(long, request), await queueExport(long, request)];
    await expect.poll(async () => (await startedIds()).filter((id) => ids.includes(id))).toHaveLength(2);
    const small = await queueExport(other, { format: 'csv' });
    const smallView = await endedExport(other, small);
    const unfinished = await app.database.prisma.export.count({ where: { id: { in: ids }, completedAt: null } });
    expect({ status: smallView.status, unfinished }).toEqual({ status: 'completed', unfinished: 2 });
    gate.resolve();
    for (const id of ids) {
      const view = await endedExport(long, id);
      expect(view.attempt).toBe(1);
      expect((await fetchFile(view)).view.sha256).toBe(whole);
    }
    const epochs = await app.database.prisma.export.findMany({ where: { id: { in: ids } }, select: { epoch: true } });
    // Where one has given way and the other tenant is not yet begun, the second may give way as well.
    expect(Math.max(...epochs.map(({ epoch }) => epoch))).toBe(2);
    await worker.stop();
  }, 60_000);

  /** Without the audit events of exports made meanwhile. */
  const request = { format: 'csv', filter: { through_sequence: 15_000 } };
  const exportedAtOnce = async (call: Call): Promise<string> => {
    const worker = await app.work();
    const { view } = await exportFile(call, request);
    await worker.stop();
    return view.sha256!;
  };
});

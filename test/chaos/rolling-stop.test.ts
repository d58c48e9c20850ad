import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisService, s3Service } from '../services/services.ts';
import { auditFiles } from './audit-files.ts';
import { auditHistory } from './audit-history.ts';
import { auditRemains } from './audit-remains.ts';
import { evidenceOf } from './evidence.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { equalOrders } from './orders.ts';
import { placeOrders } from './place-orders.ts';
import { slowDown } from './service-faults.ts';
import { untilSettled } from './settle.ts';
import { bulkyEvents, makeTenant } from './tenants.ts';

const [s3, redis] = [await s3Service(), await redisService()];
const atATime = 5;
/** Of 30 MiB in all: six parts, of two seconds and a half each. */
const events = { rows: 500, bytes: 60_000 };
const bytesPerSecond = 2_000_000;

describe.skipIf('missing' in s3 || 'missing' in redis)('A rolling stop of four workers', { timeout: 180_000 }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    if ('missing' in s3) return;
    const environment = { LOGFERRY_EXPORT_CONCURRENCY: String(atATime), LOGFERRY_PARTS_IN_FLIGHT: '1' };
    fleet = await startFleet({ s3, apis: 1, environment });
    await Promise.all(fleet.workers.map((worker) => worker.start()));
  }, 120_000);
  afterAll(() => fleet?.stop());

  const running = async (): Promise<number> =>
    (await fleet.pool.query(`select from exports where status = 'running'`)).rowCount!;

  const bulky = { name: 'bulky', rows: events.rows, lines: bulkyEvents(events.rows, events.bytes) };

  it('hands twenty running exports on in time, spends no attempt, and puts one part of each again at most', async () => {
    const tenant = await makeTenant(fleet.client, bulky);
    slowDown(fleet.proxy, bytesPerSecond);
    const orders = equalOrders([tenant], fleet.workers.length * atATime);
    expect(await placeOrders(fleet.client, orders)).toEqual([]);
    await expect.poll(running, { timeout: 30_000 }).toBe(orders.length);
    const starting: Promise<void>[] = [];
    for (const worker of fleet.workers) {
      expect(await worker.stop()).toEqual({ how: 0, afterMs: expect.toSatisfy((ms: number) => ms < 10_000) });
      starting.push(worker.start());
    }
    await Promise.all(starting);
    expect(await untilSettled(fleet)).toEqual([]);
    const evidence = await evidenceOf(fleet, orders);
    // Without any trouble it wants neither failures nor crashes.
    expect([...(await auditHistory(evidence)), ...(await auditFiles(evidence))]).toEqual([]);
    const moves = [...evidence.history.values()].flat();
    expect(moves.filter(({ from, to }) => from === 'running' && to === 'queued').length).toBeGreaterThan(2 * atATime);
    for (const [key, parts] of fleet.s3Requests.partsPut()) {
      const again = [...parts.values()].reduce((sum, times) => sum + times - 1, 0);
      expect({ key, again }).toEqual({ key, again: expect.toSatisfy((count: number) => count <= 1) });
    }
    await Promise.all(fleet.workers.map((worker) => worker.stop()));
    expect(await auditRemains(evidence)).toEqual([]);
  });
});

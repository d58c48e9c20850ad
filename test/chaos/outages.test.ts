import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisService, s3Service } from '../services/services.ts';
import { auditFiles } from './audit-files.ts';
import { auditHistory } from './audit-history.ts';
import { auditLog } from './audit-log.ts';
import { auditRemains } from './audit-remains.ts';
import { evidenceOf } from './evidence.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { equalOrders, type Order } from './orders.ts';
import { placeOrders } from './place-orders.ts';
import type { Trouble } from './scene.ts';
import { slowDown } from './service-faults.ts';
import { untilSettled } from './settle.ts';
import { type ChaosTenant, makeTenant } from './tenants.ts';

const [s3, redis] = [await s3Service(), await redisService()];
const redisAwayMs = 30_000;

describe.skipIf('missing' in s3 || 'missing' in redis)('A hundred exports', { timeout: 180_000 }, () => {
  let fleet: Fleet;
  let tenants: ChaosTenant[];
  /** Of all tests. */
  const orders: Order[] = [];
  const troubles: Trouble[] = [];
  beforeAll(async () => {
    if ('missing' in s3) return;
    fleet = await startFleet({ s3 });
    const names = ['one', 'two', 'three', 'four', 'five'];
    tenants = await Promise.all(names.map((name) => makeTenant(fleet.client, { name, rows: 1_500 })));
  }, 120_000);
  afterAll(() => fleet?.stop());

  const placeHundred = async () => {
    const hundred = equalOrders(tenants, 20);
    orders.push(...hundred);
    expect(await placeOrders(fleet.client, hundred)).toEqual([]);
  };
  /** The last hundred have completed as if nothing had happened; of all, no attempt was spent without a cause. */
  const expectAllDone = async () => {
    expect(await untilSettled(fleet)).toEqual([]);
    const evidence = await evidenceOf(fleet, orders, troubles);
    expect(await auditHistory(evidence)).toEqual([]);
    expect(await auditLog(evidence)).toEqual([]);
    expect(await auditFiles({ ...evidence, orders: orders.slice(-100) })).toEqual([]);
  };

  it('complete once each when Redis has lost all jobs', async () => {
    await placeHundred();
    await fleet.redis.command('FLUSHALL');
    await Promise.all(fleet.workers.map((worker) => worker.start()));
    await expectAllDone();
  });

  it('are taken at once while Redis is away for 30 seconds, and complete once each when it is back', async () => {
    await fleet.redis.kill();
    const killedAt = performance.now();
    await placeHundred();
    await wait(redisAwayMs - (performance.now() - killedAt));
    await fleet.redis.restart();
    await expectAllDone();
    const slow = fleet.client.attempts.filter(({ from, to, status }) => status !== 202 || to - from > 5_000);
    expect(slow.filter(({ path, method }) => method === 'POST' && path === '/v1/exports')).toEqual([]);
  });

  it('complete once each when PostgreSQL is restarted under them', async () => {
    slowDown(fleet.proxy);
    const placing = placeHundred();
    const running = async () => (await fleet.pool.query(`select from exports where status = 'running'`)).rowCount;
    await expect.poll(running, { timeout: 30_000 }).toBeGreaterThan(4);
    const trouble = { fault: 'away', of: 'Postgres', from: Date.now(), to: Infinity };
    troubles.push(trouble);
    await fleet.postgres.crash();
    await fleet.postgres.restart();
    trouble.to = Date.now();
    await placing;
    await expectAllDone();
  });

  it('leave nothing behind but their files', async () => {
    await Promise.all(fleet.workers.map((worker) => worker.stop()));
    expect(await auditRemains(await evidenceOf(fleet, orders))).toEqual([]);
  });
});

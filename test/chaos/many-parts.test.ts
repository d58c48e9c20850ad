import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisService, s3Service } from '../services/services.ts';
import { auditFiles } from './audit-files.ts';
import { evidenceOf } from './evidence.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { equalOrders } from './orders.ts';
import { placeOrders } from './place-orders.ts';
import { untilSettled } from './settle.ts';
import { bulkyEvents, makeTenant } from './tenants.ts';

const [s3, redis] = [await s3Service(), await redisService()];
const mebibyte = 1024 * 1024;
const maxParts = 12;

describe.skipIf('missing' in s3 || 'missing' in redis)('An export', { timeout: 120_000 }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    if ('missing' in s3) return;
    fleet = await startFleet({ s3, apis: 1, workers: 1, environment: { LOGFERRY_MAX_PARTS: String(maxParts) } });
    await fleet.workers[0]!.start();
  }, 120_000);
  afterAll(() => fleet?.stop());

  it('of more bytes than there may be parts of the first size is stored in as many parts as there may be', async () => {
    const rows = 1_200;
    const tenant = await makeTenant(fleet.client, { name: 'bulky', rows, lines: bulkyEvents(rows, 60_000) });
    const orders = equalOrders([tenant], 1);
    expect(await placeOrders(fleet.client, orders)).toEqual([]);
    expect(await untilSettled(fleet)).toEqual([]);
    const { body: view } = await fleet.client.until(tenant.key, `/v1/exports/${orders[0]!.id}`);
    const firstPartBytes = Number(fleet.environment.LOGFERRY_PART_MIB) * mebibyte;
    expect(view.bytes).toBeGreaterThan(maxParts * firstPartBytes);
    expect(await auditFiles(await evidenceOf(fleet, orders))).toEqual([]);
    const parts = [...fleet.s3Requests.partsPut().values()];
    expect(parts).toHaveLength(1);
    expect(parts[0]!.size).toBeLessThanOrEqual(maxParts);
    expect([...parts[0]!.values()].filter((times) => times > 1)).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisService, s3Service } from '../services/services.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { jainIndex } from './jain-index.ts';
import { type ChaosTenant, makeTenant } from './tenants.ts';

const [s3, redis] = [await s3Service(), await redisService()];

describe.skipIf('missing' in s3 || 'missing' in redis)('Tenants of four worker processes', { timeout: 180_000 }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    if ('missing' in s3) return;
    fleet = await startFleet({ s3 });
  }, 120_000);
  afterAll(() => fleet?.stop());

  const startWorkers = () => Promise.all(fleet.workers.map((worker) => worker.start()));
  const stopWorkers = () => Promise.all(fleet.workers.map((worker) => worker.stop()));
  const request = { format: 'csv', filter: { through_sequence: 1_000 } };
  const queue = async ({ key }: ChaosTenant): Promise<string> => {
    const reply = await fleet.client.until(key, '/v1/exports', { json: request });
    expect(reply.status).toBe(202);
    return reply.body.id;
  };
  /** So many at a time, as a client that is in a hurry does it. */
  const queueMany = async (tenant: ChaosTenant, count: number) => {
    let left = count;
    const work = async () => {
      while (left-- > 0) await queue(tenant);
    };
    await Promise.all(Array.from({ length: 30 }, work));
  };
  const select = async <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> =>
    (await fleet.pool.query<Row>(text, values)).rows;

  it('that are equal get equal shares of the rows, whoever came first', async () => {
    const tenants = await Promise.all(
      Array.from({ length: 10 }, (_, i) => makeTenant(fleet.client, { name: `equal ${i + 1}`, rows: 1_000 })),
    );
    const each = 12;
    for (const tenant of tenants) await queueMany(tenant, each);
    await startWorkers();
    const all = tenants.length * each;
    const completed = () =>
      select<{ tenant: string; rows: number }>(
        `select tenant_id as tenant, rows::int from exports where status = 'completed' order by completed_at`,
      );
    await expect.poll(async () => (await completed()).length, { timeout: 120_000 }).toBe(all);
    const firstHalf = (await completed()).slice(0, all / 2);
    const rowsOf = ({ id }: ChaosTenant) =>
      firstHalf.filter(({ tenant }) => tenant === id).reduce((sum, { rows }) => sum + rows, 0);
    expect(jainIndex(tenants.map(rowsOf))).toBeGreaterThanOrEqual(0.95);
    await stopWorkers();
  });

  it('with one small export wait for two slots at most, behind a thousand of another', async () => {
    const many = await makeTenant(fleet.client, { name: 'many', rows: 1_000 });
    const one = await makeTenant(fleet.client, { name: 'one', rows: 10 });
    await queueMany(many, 1_000);
    await startWorkers();
    const startedOfMany = (where: string, values: unknown[] = []) =>
      select(`select from exports where tenant_id = $1 and run_started_at ${where}`, [many.id, ...values]);
    await expect
      .poll(async () => (await startedOfMany('is not null')).length, { timeout: 60_000 })
      .toBeGreaterThan(fleet.workers.length * 2);
    const id = await queue(one);
    const queuedAt = new Date();
    const startedAt = async (): Promise<Date | undefined> =>
      (await select<{ at: Date }>('select run_started_at as at from exports where id = $1', [id]))[0]!.at;
    await expect.poll(startedAt, { timeout: 60_000 }).toBeInstanceOf(Date);
    const between = await startedOfMany('> $2 and run_started_at < $3', [queuedAt, await startedAt()]);
    expect(between.length).toBeLessThanOrEqual(2);
    const [left] = await select<{ count: number }>(
      `select count(*)::int as count from exports where tenant_id = $1 and status = 'queued'`,
      [many.id],
    );
    expect(left!.count).toBeGreaterThan(500);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exportRequestSchema } from '../../../core/exports/exports.ts';
import type { StoreLimits } from '../../../core/exports/store-limits.ts';
import { StoreLimitError } from '../../../core/storage/store-full.ts';
import { openDatabase } from '../../../prisma/client.ts';
import { claimExport } from '../../../prisma/exports/claim.ts';
import { createExport } from '../../../prisma/exports/create.ts';
import { markFileDeleted } from '../../../prisma/exports/end.ts';
import { markUploadForgotten } from '../../../prisma/exports/leftovers.ts';
import { endExport, LeaseLostError, type Run, replaceUpload, saveCheckpoint } from '../../../prisma/exports/runs.ts';
import {
  keepNoBytes,
  keepWrittenBytes,
  readStoredBytes,
  reserveBytes,
  storedBytesOf,
} from '../../../prisma/exports/stored-bytes.ts';
import { queuedProgress } from '../../../prisma/exports/view.ts';
import { type EventDatabase, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
let tenants: [string, string];
beforeAll(async () => {
  events = await openEventDatabase();
  tenants = [await events.newTenant(), await events.newTenant()];
});
afterAll(() => events.close());
beforeEach(() => events.sql('delete from exports'));

const unlimited = { free: null, pro: null, enterprise: null };
const limited = (ofAll: number | null, ofPro: number | null = null): StoreLimits => ({
  ofAll,
  ofTenant: { ...unlimited, pro: ofPro },
});

/** A run of an export that has begun its upload. */
async function startRun(tenantId = tenants[0]): Promise<Run> {
  await createExport(events.database.prisma, tenantId, {
    request: exportRequestSchema.parse({ format: 'csv' }),
    by: { actor: { id: null, type: 'test', name: null }, context: { ip: null, user_agent: null } },
    layout: { segmentRows: 10, partBytes: 1, maxParts: 10 },
  });
  const claim = await claimExport(events.database, 60);
  if (claim.outcome !== 'started') throw new Error(claim.outcome);
  await replaceUpload(events.database.prisma, claim.run, 'an upload');
  return claim.run;
}
const reserve = (run: Run, through: number, limits: StoreLimits) =>
  reserveBytes(events.database, run, { through, limits });
const stored = () => readStoredBytes(events.sql);
const checkpoint = (run: Run, partNumber: number, bytes: number) =>
  saveCheckpoint(events.database, run, {
    part: { partNumber, etag: 'e', bytes },
    rows: 1,
    neutralizedCells: 0,
    position: { after: null, rows: 1 },
  });
const complete = (run: Run, bytes: number) =>
  endExport(events.database.prisma, run, {
    status: 'completed',
    rows: 1,
    bytes,
    neutralizedCells: null,
    sha256: '',
    progress: queuedProgress,
    expiresInMs: 0,
    signReceipt: () => '',
  });

describe('reserveBytes', () => {
  it('reserves without limit, and as much again, so that a large file asks a few times', async () => {
    const run = await startRun();
    expect(await reserve(run, 100, limited(null))).toBe(200);
    expect(await reserve(run, 150, limited(null))).toBe(200);
    expect(await reserve(run, 300, limited(null))).toBe(600);
    expect(await reserve(run, 10 * 2 ** 30, limited(null))).toBe(11 * 2 ** 30);
  });

  it('gives the last byte, and not one more, of what all may store', async () => {
    const [first, second] = [await startRun(), await startRun(tenants[1])];
    expect(await reserve(first, 600, limited(1000))).toBe(625);
    expect(await reserve(second, 375, limited(1000))).toBe(375);
    const refused = reserve(second, 376, limited(1000));
    await expect(refused).rejects.toThrow(StoreLimitError);
    await expect(refused).rejects.toMatchObject({
      code: 'storage_full',
      message: expect.stringContaining('LOGFERRY_STORE_LIMIT'),
    });
    expect(await stored()).toBe(1000);
  });

  it('keeps a tenant within the limit of his plan, and lets others go on', async () => {
    const [mine, others] = [await startRun(), await startRun(tenants[1])];
    expect(await reserve(mine, 1000, limited(null, 1000))).toBe(1000);
    await expect(reserve(mine, 1001, limited(null, 1000))).rejects.toThrow(/the plan has 1000 bytes.*Delete exports/);
    expect(await reserve(others, 1000, limited(null, 1000))).toBe(1000);
    // By the plan as it is now.
    await events.sql(`update tenants set plan = 'enterprise' where id = $1`, [tenants[0]]);
    expect(await reserve(mine, 1001, limited(null, 1000))).toBeGreaterThan(1000);
    await events.sql(`update tenants set plan = 'pro' where id = $1`, [tenants[0]]);
  });

  it('never exceeds a limit when two processes ask for the last bytes again and again at the same moment', async () => {
    const other = openDatabase(events.url);
    const limits = limited(10_000, 7_000);
    const runs = await Promise.all([startRun(), startRun(), startRun(tenants[1]), startRun(tenants[1])]);
    let refused = 0;
    await Promise.all(
      runs.map(async (run, i) => {
        for (let through = 100; refused < 4; through += 100) {
          const asked = reserveBytes(i % 2 ? other : events.database, run, { through, limits });
          const outcome = await asked.catch((error) => error);
          if (outcome instanceof StoreLimitError) {
            refused++;
            return;
          }
          expect(outcome).toBeGreaterThanOrEqual(through);
        }
      }),
    );
    expect(refused).toBe(4);
    const sum = await stored();
    expect(sum).toBeLessThanOrEqual(10_000);
    // No step that was refused would have fitted.
    expect(sum).toBeGreaterThan(10_000 - 4 * 100);
    const [mine] = await events.sql<{ bytes: string }>(`select ${storedBytesOf('$1::uuid')} as bytes`, [tenants[0]]);
    expect(Number(mine!.bytes)).toBeLessThanOrEqual(7_000);
    await other.close();
  });

  it('reserves nothing for a run that has lost its export', async () => {
    const run = await startRun();
    const lost = reserve({ ...run, epoch: run.epoch - 1 }, 100, limited(1000));
    await expect(lost).rejects.toThrow(LeaseLostError);
    expect(await stored()).toBe(0);
  });

  it('keeps nobody waiting who waits for an export that somebody is changing', async () => {
    const [held, free] = [await startRun(), await startRun()];
    const client = await events.database.pool.connect();
    await client.query('begin');
    await client.query('select from exports where id = $1 for update', [held.exportId]);
    const waiting = reserve(held, 100, limited(1000));
    await events.untilLockIsAwaited();
    expect(await reserve(free, 100, limited(1000))).toBeGreaterThanOrEqual(100);
    await client.query('rollback');
    client.release();
    expect(await waiting).toBeGreaterThanOrEqual(100);
  });
});

describe('What exports hold of the storage', () => {
  it('is what is stored once they are completed, until their file is deleted', async () => {
    const run = await startRun();
    await reserve(run, 1000, limited(null));
    expect(await stored()).toBe(2000);
    await complete(run, 950);
    expect(await stored()).toBe(950);
    await events.sql(`update exports set status = 'expired'`);
    expect(await stored()).toBe(950);
    await markFileDeleted(events.database.prisma, run.exportId);
    expect(await stored()).toBe(0);
  });

  it('is what is written when a run goes on, and nothing once its upload is gone', async () => {
    const run = await startRun();
    await reserve(run, 1000, limited(null));
    await checkpoint(run, 1, 300);
    await checkpoint(run, 2, 400);
    await keepWrittenBytes(events.database, run);
    expect(await stored()).toBe(700);
    await keepNoBytes(events.database, { ...run, epoch: run.epoch + 1 });
    expect(await stored()).toBe(700);
    await replaceUpload(events.database.prisma, run, 'another');
    expect(await stored()).toBe(0);
  });

  it('goes with the upload of those that failed or were canceled, and not before', async () => {
    for (const status of ['failed', 'canceled']) {
      const run = await startRun();
      await reserve(run, 1000, limited(1000));
      await events.sql('update exports set status = $1::export_status where id = $2', [status, run.exportId]);
      expect(await stored()).toBe(1000);
      await markUploadForgotten(events.database.prisma, run.exportId);
      expect(await stored()).toBe(0);
    }
  });

  it('is read from the index of files alone, beside 50,000 exports whose file has gone', async () => {
    const insert = (count: number, deleted: string) =>
      events.sql(
        `insert into exports (id, tenant_id, status, request, file_name, created_by, as_of, as_of_sequence, resumable,
           segment_rows, storage_key, progress, created_at, bytes, file_deleted_at)
         select gen_random_uuid(), $1, 'expired', '{}', 'f', '{}', now(), 0, true, 1, 'k', '{}', now(), 10, ${deleted}
         from generate_series(1, $2::int)`,
        [tenants[0], count],
      );
    await insert(50_000, 'now()');
    await insert(500, 'null');
    await events.sql('vacuum analyze exports');
    expect(await stored()).toBe(5_000);
    for (const tenant of [undefined, `'${tenants[0]}'::uuid`]) {
      const lines = await events.sql<Record<string, string>>(
        `explain (analyze, buffers, costs off) select ${storedBytesOf(tenant)}`,
      );
      const plan = lines.map((each) => Object.values(each)[0]).join('\n');
      expect(plan).toContain('Index Only Scan using exports_stored');
      expect(plan).not.toContain('Seq Scan');
    }
  });
});

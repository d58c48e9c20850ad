import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exportRequestSchema } from '../../../core/exports/exports.ts';
import { inTransaction } from '../../../prisma/client.ts';
import { claimExport, shouldYield } from '../../../prisma/exports/claim.ts';
import { createExport } from '../../../prisma/exports/create.ts';
import type { Run } from '../../../prisma/exports/runs.ts';
import { type EventDatabase, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
let tenants: string[];

beforeAll(async () => {
  events = await openEventDatabase();
  tenants = [await events.newTenant(), await events.newTenant(), await events.newTenant()];
});
afterAll(() => events.close());
beforeEach(() => events.sql('delete from exports'));

/** Queues exports of tenants given by number, in this order, and gives their ids. */
async function queue(...ofTenants: number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const tenant of ofTenants) {
    const { row } = await createExport(events.database.prisma, tenants[tenant]!, {
      request: exportRequestSchema.parse({ format: 'csv' }),
      by: { actor: { id: null, type: 'test', name: null }, context: { ip: null, user_agent: null } },
      layout: { segmentRows: 10, partBytes: 1, maxParts: 10 },
    });
    ids.push(row.id);
  }
  return ids;
}

const take = () => claimExport(events.database, 10);
async function takeRun(): Promise<Run & { tenant: number }> {
  const claim = await take();
  if (claim.outcome !== 'started') throw new Error('nothing was claimed');
  return { ...claim.run, tenant: tenants.indexOf(claim.row.tenantId) };
}
const takeTenants = async (turns: number): Promise<number[]> => {
  const taken: number[] = [];
  for (let i = 0; i < turns; i++) taken.push((await takeRun()).tenant);
  return taken;
};
const complete = ({ exportId }: Run) => events.sql(`update exports set status = 'completed' where id = $1`, [exportId]);

describe('claimExport', () => {
  it('takes the oldest export of a tenant first', async () => {
    const ids = await queue(0, 0, 0);
    expect([await takeRun(), await takeRun(), await takeRun()].map(({ exportId }) => exportId)).toEqual(ids);
    expect(await take()).toEqual({ outcome: 'none', lapsesInMs: undefined });
  });

  it('takes the one export of a tenant next, however many another one has queued before', async () => {
    await queue(...Array.from({ length: 30 }, () => 0), 1);
    expect(await takeTenants(3)).toEqual([0, 1, 0]);
  });

  it('gives every tenant as many runs as the others', async () => {
    await queue(0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2);
    expect((await takeTenants(9)).sort()).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });

  it('takes tenants in rotation when only one export runs at a time', async () => {
    await queue(0, 0, 0, 1, 1, 1, 2, 2);
    const taken: number[] = [];
    for (let i = 0; i < 8; i++) {
      const run = await takeRun();
      taken.push(run.tenant);
      await complete(run);
    }
    expect(taken).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
  });

  it('gives each export to one of many who ask at the same time', async () => {
    const ids = await queue(...Array.from({ length: 25 }, (_, i) => i % 3));
    const claims = await Promise.all(Array.from({ length: 40 }, take));
    const taken = claims.flatMap((claim) => (claim.outcome === 'started' ? claim.run.exportId : []));
    expect(taken.sort()).toEqual(ids.sort());
  });

  it('leaves an export alone until its next try is due', async () => {
    const [id] = await queue(0);
    await events.sql(`update exports set retry_at = now() + interval '1 hour'`);
    expect((await take()).outcome).toBe('none');
    await events.sql(`update exports set retry_at = now() - interval '1 second'`);
    expect((await takeRun()).exportId).toBe(id);
  });

  it('takes an export over whose worker is silent, before all others, and counts the worker as dead', async () => {
    const [dead] = await queue(0, 1, 1);
    await takeRun();
    await events.sql(`update exports set lease_until = now() - interval '1 second' where id = $1`, [dead]);
    const claim = await take();
    expect(claim).toMatchObject({ outcome: 'started', run: { exportId: dead, epoch: 2 }, row: { crashes: 1 } });
  });

  it('leaves an export alone that somebody is changing at this very moment, and waits for nobody', async () => {
    const [canceled, completing] = await queue(0, 1);
    await inTransaction(events.database.pool, async (sql) => {
      await sql(`update exports set status = 'canceled', epoch = epoch + 1 where id = $1`, [canceled]);
      expect(await takeRun()).toMatchObject({ exportId: completing, epoch: 1 });
      await sql(`update exports set lease_until = now() - interval '1 second' where id = $1`, [completing]);
    });
    await inTransaction(events.database.pool, async (sql) => {
      await sql(`update exports set status = 'completed' where id = $1`, [completing]);
      expect(await take()).toEqual({ outcome: 'none', lapsesInMs: 1000 });
      const [other] = await queue(2);
      expect((await takeRun()).exportId).toBe(other);
    });
    const rows = await events.sql('select status, epoch, crashes from exports order by id');
    expect(rows).toEqual([
      { status: 'canceled', epoch: 1, crashes: 0 },
      { status: 'completed', epoch: 1, crashes: 0 },
      { status: 'running', epoch: 1, crashes: 0 },
    ]);
  });

  it('says when a run may be taken over that seems dead, by the clock of the database', async () => {
    await queue(0);
    await takeRun();
    expect(await take()).toEqual({ outcome: 'none', lapsesInMs: undefined });
    await events.sql(`update exports set lease_until = now() + interval '3 seconds'`);
    const claim = await take();
    expect(claim).toMatchObject({ outcome: 'none', lapsesInMs: expect.any(Number) });
    expect((claim as { lapsesInMs: number }).lapsesInMs).toBeGreaterThan(2000);
    expect((claim as { lapsesInMs: number }).lapsesInMs).toBeLessThanOrEqual(3000);
  });
});

describe('shouldYield', () => {
  const isOver = (run: Run, yieldAfterSeconds = 10) => shouldYield(events.database, run, yieldAfterSeconds);
  /** As if all that is there had begun so long ago, and had saved a part since. */
  const age = async (seconds: number) => {
    await events.sql(
      `update exports set created_at = created_at - make_interval(secs => $1),
         run_started_at = run_started_at - make_interval(secs => $1)`,
      [seconds],
    );
    await events.sql(`insert into checkpoints (export_id, part_number, epoch, etag, bytes, rows, position)
      select id, 1, epoch, '', 1, 1, '{}' from exports where status = 'running'
      on conflict (export_id, part_number) do update set epoch = excluded.epoch`);
  };

  it('lets a run go on while nobody waits but its own tenant', async () => {
    await queue(0, 0, 0);
    const run = await takeRun();
    await age(3600);
    expect(await isOver(run)).toBe(false);
  });

  it('ends the turn of one run for each tenant who waits and has none', async () => {
    await queue(0, 0, 0, 0);
    const runs = [await takeRun(), await takeRun(), await takeRun()];
    await queue(1, 1);
    await age(60);
    const over = async () => (await Promise.all(runs.map((run) => isOver(run)))).filter(Boolean).length;
    expect(await over()).toBe(1);
    await queue(2);
    await age(5);
    expect(await over()).toBe(2);
    await takeRun();
    expect(await over()).toBe(1);
  });

  it('takes the turn from the tenant with the most runs', async () => {
    await queue(0, 1, 0);
    const runs = [await takeRun(), await takeRun(), await takeRun()];
    await queue(2);
    await age(60);
    const over = await Promise.all(runs.map((run) => isOver(run)));
    expect(runs.filter((_, i) => over[i]).map(({ tenant }) => tenant)).toEqual([0]);
  });

  it('leaves runs their turn, those without a checkpoint in it, and those that would begin anew', async () => {
    await queue(0);
    const run = await takeRun();
    await queue(1);
    await age(60);
    expect(await isOver(run, 120)).toBe(false);
    expect(await isOver(run)).toBe(true);
    await events.sql('update exports set resumable = false where id = $1', [run.exportId]);
    expect(await isOver(run)).toBe(false);
    await events.sql('update exports set resumable = true where id = $1', [run.exportId]);
    await events.sql('update checkpoints set epoch = 0');
    expect(await isOver(run)).toBe(false);
  });

  it('does not count those who wait for a retry, or came a moment ago', async () => {
    await queue(0);
    const run = await takeRun();
    await age(60);
    const [id] = await queue(1);
    expect(await isOver(run)).toBe(false);
    await events.sql(`update exports set retry_at = now() + interval '1 hour' where id = $1`, [id]);
    await age(60);
    expect(await isOver(run)).toBe(false);
  });
});

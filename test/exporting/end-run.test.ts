import { afterAll, beforeAll, expect, it } from 'vitest';
import { FinalError } from '../../core/errors.ts';
import { attemptLimits } from '../../core/exports/exports.ts';
import { storeLimitsOf } from '../../core/exports/store-limits.ts';
import { freshBuffers } from '../../prisma/copy/buffers.ts';
import { claimExport } from '../../prisma/exports/claim.ts';
import { cancelExport } from '../../prisma/exports/end.ts';
import { CancelRequestedError, replaceUpload } from '../../prisma/exports/runs.ts';
import { createWebhook, deleteWebhook } from '../../prisma/webhooks.ts';
import { settleRun } from '../../worker/end-run.ts';
import { HandBackError, holdLease } from '../../worker/hold-lease.ts';
import { runExport } from '../../worker/run-export.ts';
import { sweep } from '../../worker/sweep/sweep.ts';
import { heardLog } from '../api/heard-log.ts';
import { type Exporting, queueExport, startExporting } from '../worker/export-fixture.ts';

let app: Exporting;
let call: Awaited<ReturnType<Exporting['newTenant']>>['call'];

beforeAll(async () => {
  app = await startExporting({}, { worker: false });
  ({ call } = await app.newTenant());
});
afterAll(() => app.close());

/** An export whose run is in the hands of the test. */
async function startRun() {
  const id = await queueExport(call, { format: 'csv' });
  const begin = async () => {
    const claim = await claimExport(app.database, 60);
    if (claim.outcome !== 'started' || claim.row.id !== id) throw new Error(claim.outcome);
    const deps = { ...app.deps, ...limits, leaseSeconds: 60, yieldAfterSeconds: 60, exportTtlSeconds: 60 };
    return {
      ...claim,
      settle: (error: unknown) => settleRun({ deps, row: claim.row, run: claim.run, log: deps.log }, error),
    };
  };
  return {
    ...(await begin()),
    /** Another worker takes it over. */
    async overtake() {
      await app.database.pool.query(`update exports set lease_until = now() - interval '1 second' where id = $1`, [id]);
      return begin();
    },
    read: () => app.database.prisma.export.findUniqueOrThrow({ where: { id } }),
  };
}

// Nothing is read here.
const scansFor = () => app.database.scans;
const limits = {
  scansFor,
  buffers: freshBuffers(1024),
  readers: 1,
  partsInFlight: 1,
  bytesInFlight: 1,
  storeLimits: storeLimitsOf({ LOGFERRY_STORE_LIMIT: undefined, LOGFERRY_PLAN_LIMITS: {} }),
};
const by = { actor: { id: null, type: 'test', name: null }, context: { ip: null, user_agent: null } };

it.each([new FinalError('gone_wrong', 'It went wrong.'), new Error('a moment of weakness')])(
  'leaves the upload alone that a newer run goes on with, whatever the older one ends with',
  async (error) => {
    const { row, run, settle, overtake, read } = await startRun();
    const upload = await app.deps.store.beginUpload(row.storageKey, 'text/csv');
    await replaceUpload(app.database.prisma, run, upload.uploadId);
    await overtake();
    expect(await settle(error)).toEqual({ outcome: 'done' });
    expect(await app.deps.store.listUploads()).toContainEqual(expect.objectContaining(upload));
    expect(await read()).toMatchObject({ status: 'running', error: null });
  },
);

it.each([
  new FinalError('gone_wrong', 'It went wrong.'),
  new Error('a moment of weakness'),
  new HandBackError('the worker stops'),
])('ends as canceled an export whose cancel was accepted before its run ended with %s', async (error) => {
  const { row, settle, read } = await startRun();
  await cancelExport(app.database.prisma, row.tenantId, row.id, by);
  expect(await settle(error)).toEqual({ outcome: 'done' });
  expect(await read()).toMatchObject({ status: 'canceled', leaseUntil: null });
});

it('ends an export that is canceled while the store hangs, and leaves what is stored to the sweep', async () => {
  const { row, run, read } = await startRun();
  const { store } = app.deps;
  const upload = await store.beginUpload(row.storageKey, 'text/csv');
  await replaceUpload(app.database.prisma, run, upload.uploadId);
  await cancelExport(app.database.prisma, row.tenantId, row.id, by);
  const never = () => new Promise<never>(() => {});
  const hanging = { ...store, abortUpload: never, deleteObject: never };
  const deps = {
    ...app.deps,
    ...limits,
    store: hanging,
    leaseSeconds: 60,
    yieldAfterSeconds: 60,
    exportTtlSeconds: 60,
  };
  expect(await settleRun({ deps, row, run, log: deps.log }, new CancelRequestedError())).toEqual({ outcome: 'done' });
  expect(await read()).toMatchObject({ status: 'canceled', uploadId: upload.uploadId });
  await sweep(app.deps);
  expect(await store.listUploads()).not.toContainEqual(expect.objectContaining(upload));
});

it('gives a run up whose renewals get no answer, and does not wait for them', async () => {
  const { row, run } = await startRun();
  const blocker = await app.database.pool.connect();
  await blocker.query('begin');
  await blocker.query('select from exports where id = $1 for update', [row.id]);
  const stopping = new AbortController().signal;
  const lease = holdLease({ database: app.database, run, leaseSeconds: 2, yieldAfterSeconds: 60, stopping });
  await new Promise((resolve) => lease.signal.addEventListener('abort', resolve, { once: true }));
  await lease.release();
  expect(lease.signal.reason).toMatchObject({ name: 'LeaseLostError' });
  await blocker.query('rollback');
  blocker.release();
});

it('names the export, its tenant and the run in each line, also in those written while it is completed', async () => {
  const id = await queueExport(call, { format: 'csv', webhook: { url: 'https://hooks.example.com/exports' } });
  const { log, entries } = heardLog();
  const queue = {
    ...app.deps.queue,
    enqueueDelivery: async () => {
      throw new Error('the queue is away');
    },
  };
  const budget = { leaseSeconds: 60, yieldAfterSeconds: 60, exportTtlSeconds: 60 };
  const deps = { ...app.deps, ...limits, ...budget, log, queue };
  const isOver = () => entries.some(({ msg, export_id }) => msg === 'export completed' && export_id === id);
  // Those that other tests have left come first.
  while (!isOver()) await runExport(deps, new AbortController().signal);
  const [late] = entries.filter(({ msg }) => msg.startsWith('delivery not enqueued'));
  expect(late).toMatchObject({ export_id: id, tenant_id: expect.any(String), epoch: 1 });
  for (const entry of entries)
    expect(entry).toMatchObject({ export_id: expect.any(String), epoch: expect.any(Number) });
});

it.each([0, attemptLimits.crashes + 1])(
  'ends an export whose end cannot be announced, after %i crashes',
  async (crashes) => {
    const { pool, prisma } = app.database;
    const { row } = await startRun().then(async (begun) => {
      await pool.query('update exports set crashes = $2 where id = $1', [begun.row.id, crashes]);
      await begun.settle(new HandBackError('the worker stops'));
      return begun;
    });
    const request = { url: 'https://example.com/', events: ['*'], description: null, include_download_url: true };
    const webhook = await createWebhook(prisma, row.tenantId, request, new Uint8Array(8));
    await pool.query(
      `create function refuse_news() returns trigger language plpgsql as $$ begin raise exception 'too much'; end $$;
     create trigger refuse_news before insert on news for each row execute function refuse_news()`,
    );
    try {
      const claim = await claimExport(app.database, 60);
      if (claim.outcome !== 'started') throw new Error(claim.outcome);
      const deps = { ...app.deps, ...limits, leaseSeconds: 60, yieldAfterSeconds: 60, exportTtlSeconds: 60 };
      const ended = { deps, row: claim.row, run: claim.run, log: deps.log };
      expect(await settleRun(ended, new FinalError('gone_wrong', 'It went wrong.'))).toEqual({ outcome: 'done' });
      const { rows } = await pool.query('select status from exports where id = $1', [row.id]);
      expect(rows).toEqual([{ status: 'failed' }]);
    } finally {
      await pool.query('drop trigger refuse_news on news; drop function refuse_news');
      await deleteWebhook(prisma, row.tenantId, webhook.id);
    }
  },
);

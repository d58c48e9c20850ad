import { afterEach, describe, expect, it } from 'vitest';
import { storeLimitsOf } from '../../core/exports/store-limits.ts';
import { makeMetrics } from '../../core/metrics.ts';
import { freshBuffers } from '../../prisma/copy/buffers.ts';
import { claimExport } from '../../prisma/exports/claim.ts';
import { LeaseLostError } from '../../prisma/exports/runs.ts';
import { settleRun } from '../../worker/end-run.ts';
import { HandBackError } from '../../worker/hold-lease.ts';
import { addManyEvents } from '../add-events.ts';
import { type Family, readMetrics, valueIn } from '../core/read-metrics.ts';
import { type Exporting, endedExport, exportFile, queueExport, startExporting } from '../worker/export-fixture.ts';

let app: Exporting;
afterEach(() => app.close());

const scrape = async (metrics = app.deps.metrics): Promise<Map<string, Family>> =>
  readMetrics((await metrics.scrape()).text);

describe('The metrics of runs', () => {
  it('tell of a completed export: one run, one end, its waits and lengths, its parts, and all its rows and bytes', async () => {
    app = await startExporting({ LOGFERRY_PART_MIB: '5', LOGFERRY_SEGMENT_ROWS: '1000' });
    const { tenant, call } = await app.newTenant();
    await addManyEvents(app.database, tenant.id, { count: 12_000, noiseBytes: 1024 });
    const { view } = await exportFile(call, { format: 'csv' });
    const families = await scrape();
    const value = (name: string, labels = {}) => valueIn(families, name, labels);
    expect(value('logferry_exports_ended_total', { outcome: 'completed' })).toBe(1);
    expect(value('logferry_export_runs_total', { outcome: 'completed' })).toBe(1);
    expect(value('logferry_export_runs_running')).toBe(0);
    expect(value('logferry_exported_rows_total')).toBe(view.rows);
    expect(value('logferry_exported_bytes_total')).toBe(view.bytes);
    expect(value('logferry_parts_total', { outcome: 'stored' })).toBeGreaterThan(1);
    expect(value('logferry_parts_total', { outcome: 'failed' })).toBe(0);
    for (const name of ['logferry_export_wait_seconds', 'logferry_export_run_seconds', 'logferry_export_seconds']) {
      expect(value(`${name}_count`), name).toBe(1);
    }
    expect(value('logferry_export_seconds_sum')).toBeGreaterThanOrEqual(value('logferry_export_run_seconds_sum')!);
    expect(value('logferry_export_seconds_sum')).toBeLessThan(60);
  });

  it('tell of a part that could not be stored, and of the run that is to be repeated', async () => {
    app = await startExporting({}, { worker: false });
    const { call } = await app.newTenant();
    const putPart = () => Promise.reject(new Error('the store is away'));
    const metrics = makeMetrics();
    const worker = await app.work({ store: { ...app.deps.store, putPart }, metrics });
    await queueExport(call, { format: 'csv' });
    await expect
      .poll(async () => valueIn(await scrape(metrics), 'logferry_export_runs_total', { outcome: 'retried' }))
      .toBe(1);
    await worker.stop();
    const families = await scrape(metrics);
    expect(valueIn(families, 'logferry_parts_total', { outcome: 'failed' })).toBe(1);
    expect(valueIn(families, 'logferry_exported_bytes_total')).toBe(0);
    expect(valueIn(families, 'logferry_exports_ended_total', { outcome: 'failed' })).toBe(0);
  });

  it('tell of a canceled one, and that a sweep has done its duties', async () => {
    app = await startExporting({ LOGFERRY_SWEEP_SECONDS: '1' });
    const { call } = await app.newTenant();
    const reply = await call('/v1/exports', { json: { format: 'csv' } });
    const { id } = (await reply.json()) as { id: string };
    await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
    const { status } = await endedExport(call, id);
    const ended = valueIn(await scrape(), 'logferry_exports_ended_total', { outcome: status });
    // The worker may have been faster than the cancel.
    expect([status, ended]).toEqual([expect.stringMatching(/^(canceled|completed)$/), 1]);
    const duty = { duty: 'enqueueExports' };
    await expect
      .poll(async () => valueIn(await scrape(), 'logferry_sweep_duties_total', { ...duty, outcome: 'ok' }))
      .toBeGreaterThan(0);
    const lastSuccess = valueIn(await scrape(), 'logferry_sweep_last_success_timestamp_seconds', duty)!;
    expect(Math.abs(lastSuccess - Date.now() / 1000)).toBeLessThan(30);
  });

  it('tell a failed duty from one that was done', async () => {
    app = await startExporting({ LOGFERRY_SWEEP_SECONDS: '1' }, { worker: false });
    const listUploads = () => Promise.reject(new Error('the store is away'));
    const metrics = makeMetrics();
    await app.work({ store: { ...app.deps.store, listUploads }, metrics });
    const duty = 'abortStrayUploads';
    await expect
      .poll(async () => valueIn(await scrape(metrics), 'logferry_sweep_duties_total', { duty, outcome: 'failed' }))
      .toBeGreaterThan(0);
    expect(valueIn(await scrape(metrics), 'logferry_sweep_last_success_timestamp_seconds', { duty })).toBeUndefined();
  });

  it.each([
    ['lease_lost', (run) => new LeaseLostError(run)],
    ['handed_back', () => new HandBackError('the worker stops')],
    ['gave_way', () => new HandBackError('other tenants wait')],
    ['failed', () => Object.assign(new Error('a wrong query'), { code: '42601' })],
    ['retried', () => new Error('a moment of weakness')],
  ] satisfies [string, (run: { exportId: string; epoch: number }) => Error][])(
    'count a run as %s, and nothing else',
    async (outcome, errorFor) => {
      app = await startExporting({}, { worker: false });
      const { call } = await app.newTenant();
      await queueExport(call, { format: 'csv' });
      const claim = await claimExport(app.database, 60);
      if (claim.outcome !== 'started') throw new Error(claim.outcome);
      const metrics = makeMetrics();
      const scansFor = () => app.database.scans;
      const limits = {
        scansFor,
        buffers: freshBuffers(1024),
        readers: 1,
        partsInFlight: 1,
        bytesInFlight: 1,
        storeLimits: storeLimitsOf(app.deps.config),
        leaseSeconds: 60,
        yieldAfterSeconds: 60,
      };
      const deps = { ...app.deps, ...limits, exportTtlSeconds: 60, metrics };
      await settleRun({ deps, row: claim.row, run: claim.run, log: deps.log }, errorFor(claim.run));
      const { samples } = (await scrape(metrics)).get('logferry_export_runs_total')!;
      expect(samples.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.outcome, value])).toEqual([
        [outcome, 1],
      ]);
    },
  );
});

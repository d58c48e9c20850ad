import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { contentOf, exportRequestSchema } from '../../core/exports/exports.ts';
import type { ExportView } from '../../prisma/exports/view.ts';
import { asTenant } from '../../prisma/isolation/as-tenant.ts';
import { rowsSql } from '../../prisma/rows/rows-sql.ts';
import { addManyEvents } from '../add-events.ts';
import type { Call } from '../api/start-app.ts';
import { engines } from '../engines.ts';
import { type Exporting, endedExport, queueExport, startExporting } from '../worker/export-fixture.ts';
import { startWorkerProcess, type WorkerProcess } from '../worker/worker-process.ts';

const mebibyte = 1024 * 1024;
const limitMiB = 350;

/** The most memory a process has had, in MiB. Linux alone tells it of another process. */
async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1024;
}

const onLinux = process.platform === 'linux';
const named = (text: string) =>
  onLinux ? text : `${text} (skipped: ${process.platform} has no /proc to read the peak from)`;

describe('A worker process as it is set by default', () => {
  let app: Exporting;
  let worker: WorkerProcess | undefined;
  beforeAll(async () => {
    app = await startExporting({}, { worker: false });
  });
  afterEach(() => worker?.ended('SIGKILL'));
  afterAll(() => app.close());

  /** A worker with the default settings, and what it took for one export after the other. */
  const startDefaultWorker = async () => {
    worker = startWorkerProcess(app, {
      LOGFERRY_PART_MIB: '',
      LOGFERRY_SEGMENT_ROWS: '',
      LOGFERRY_LEASE_SECONDS: '',
      LOGFERRY_SWEEP_SECONDS: '',
      LOGFERRY_EXPORT_CONCURRENCY: '',
      LOGFERRY_EXPORT_READERS: '',
    });
    await worker.logged('worker runs');
    return worker;
  };
  const runToEnd = async (call: Call, request: object): Promise<ExportView> => {
    const view = await endedExport(call, await queueExport(call, request));
    expect(view).toMatchObject({ status: 'completed', complete: true });
    return view;
  };
  const secondsOf = ({ started_at, completed_at }: ExportView) =>
    (new Date(completed_at!).getTime() - new Date(started_at!).getTime()) / 1000;

  it.skipIf(!onLinux)(
    named(`exports 200,000 rows below ${limitMiB} MiB, not much slower than COPY`),
    async () => {
      const count = 200_000;
      const { call, tenant } = await app.newTenant();
      await addManyEvents(app.database, tenant.id, { count, noiseBytes: 96 });
      const { pid } = await startDefaultWorker();
      const filter = { through_sequence: count };
      const ours: number[] = [];
      const plain: number[] = [];
      // In turns, so that what else the machine does weighs on both alike.
      for (let round = 0; round < 3; round++) {
        plain.push(await secondsOfCopy(app, tenant.id, count));
        const view = await runToEnd(call, { format: 'csv', filter });
        expect(view.rows).toBe(count);
        ours.push(secondsOf(view));
      }
      await runToEnd(call, { format: 'ndjson', compression: 'gzip', filter });
      await runToEnd(call, { format: 'json', compression: 'zstd', filter });
      expect(await peakMiB(pid)).toBeLessThan(limitMiB);
      // The S3 server of the tests takes a core of this machine for itself, which COPY to nowhere does not need.
      const slower = engines.storage === 's3' ? 4 : 2;
      expect(Math.min(...ours)).toBeLessThan(slower * Math.min(...plain));
    },
    120_000,
  );

  it.skipIf(!onLinux)(
    named(`exports 2,000 rows of 100 kB below ${limitMiB} MiB`),
    async () => {
      const count = 2000;
      const { call, tenant } = await app.newTenant();
      await addManyEvents(app.database, tenant.id, { count, noiseBytes: 100_000 });
      const { pid } = await startDefaultWorker();
      const filter = { through_sequence: count };
      const view = await runToEnd(call, { format: 'json', filter });
      expect(view.bytes).toBeGreaterThan(190 * mebibyte);
      await runToEnd(call, { format: 'csv', compression: 'gzip', filter });
      await runToEnd(call, { format: 'ndjson', compression: 'zstd', filter, sort: [{ field: 'target.id' }] });
      expect(await peakMiB(pid)).toBeLessThan(limitMiB);
    },
    120_000,
  );
});

/** What a plain COPY of the same cells of the same rows takes, with nothing done about what comes. */
async function secondsOfCopy(app: Exporting, tenantId: string, count: number): Promise<number> {
  const { select, copyOptions } = rowsSql(contentOf(exportRequestSchema.parse({ format: 'csv' })));
  const statement = `${asTenant(tenantId)}copy (select ${select} from events where tenant_id = '${tenantId}' and sequence_number <= ${count}
    order by occurred_at, events.sequence_number) to stdout with (${copyOptions})`;
  const client = await app.database.scans.connect();
  const started = performance.now();
  await new Promise((resolve, reject) => {
    const query = {
      submit: (connection: { query(text: string): void }) => connection.query(statement),
      handleCopyData() {},
      handleCommandComplete() {},
      handleReadyForQuery: resolve,
      handleError: reject,
    };
    client.query(query as unknown as pg.Submittable);
  });
  client.release();
  return (performance.now() - started) / 1000;
}

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../add-events.ts';
import type { Call } from '../api/start-app.ts';
import { findFaketime } from '../services/faketime.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts';
import { type Exporting, endedExport, fetchFile, queueExport, startExporting } from '../worker/export-fixture.ts';
import { startWorkerProcess, type WorkerProcess, workerSettings } from '../worker/worker-process.ts';

const skewed = findFaketime();
if (!skewed) console.warn('No clocks are skewed: the command faketime is missing (npm run install:services).');
const minute = 60_000;

describe.skipIf(!skewed)('Workers whose clocks are an hour off', () => {
  let app: Exporting;
  let call: Call;
  let receiver: WebhookReceiver;
  const processes: WorkerProcess[] = [];
  const start = (offset: string) => {
    const worker = startWorkerProcess(app, skewed!(offset));
    processes.push(worker);
    return worker.logged('worker runs');
  };
  beforeAll(async () => {
    receiver = await startWebhookReceiver();
    app = await startExporting({ ...workerSettings, LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { worker: false });
    const made = await app.newTenant();
    call = made.call;
    await addManyEvents(app.database, made.tenant.id, { count: 3000, noiseBytes: 1000 });
  });
  afterEach(async () => {
    for (const each of processes.splice(0)) await each.ended('SIGKILL');
  });
  afterAll(async () => {
    await receiver.close();
    await app.close();
  });

  const near = (time: string | number | null) => Math.abs(new Date(time!).getTime() - Date.now());

  it.each(['+1h', '-1h'])(
    '(%s) end exports, live links and webhooks by the clock of the database',
    async (offset) => {
      await start(offset);
      const before = receiver.received.length;
      const id = await queueExport(call, { format: 'csv', expires_in: 600, webhook: { url: receiver.url } });
      const view = await endedExport(call, id);
      expect(view).toMatchObject({ status: 'completed', attempt: 1 });
      expect(near(view.completed_at)).toBeLessThan(minute);
      expect(near(Date.parse(view.expires_at!) - 600_000)).toBeLessThan(minute);
      await fetchFile(view);
      await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBeGreaterThan(before);
      const { headers, body } = receiver.received.at(-1)!;
      expect(near(Number(headers['webhook-timestamp']) * 1000)).toBeLessThan(minute);
      const message = JSON.parse(body);
      expect(near(message.timestamp)).toBeLessThan(minute);
      expect((await fetch(message.data.download_url)).status).toBe(200);
    },
    90_000,
  );

  it('beside each other take no lease of a run that is alive', async () => {
    await Promise.all([start('+1h'), start('-1h')]);
    const ids = await Promise.all(Array.from({ length: 6 }, () => queueExport(call, { format: 'ndjson' })));
    for (const id of ids) expect(await endedExport(call, id)).toMatchObject({ status: 'completed', attempt: 1 });
  }, 90_000);
});

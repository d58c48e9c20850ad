import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../add-events.ts';
import { type ApiProcess, startApiProcess } from './api-process.ts';
import { openStream } from './open-stream.ts';
import { type App, startApp } from './start-app.ts';

const count = 1_000_000;
/** What the process may have taken at most, and what it may take for a million rows above what it takes for a tenth of them. */
const limitsMiB = { peak: 270, growth: 40 };

const onLinux = process.platform === 'linux';
const named = (text: string) =>
  onLinux ? text : `${text} (skipped: ${process.platform} has no /proc to read the memory from)`;

describe.skipIf(!onLinux)(named('An API process that streams a million events'), () => {
  let app: App;
  let api: ApiProcess;
  let key: string;
  let tenantId: string;
  beforeAll(async () => {
    app = await startApp();
    const { tenant, key: itsKey } = await app.newTenant();
    [tenantId, key] = [tenant.id, itsKey];
    api = await startApiProcess(app);
    await addManyEvents(app.database, tenantId, { count, noiseBytes: 0 });
  }, 120_000);
  afterAll(async () => {
    await api?.ended('SIGKILL');
    await app.close();
  });

  /** Takes all, and says how many rows the trailer told of. */
  async function takeAll(query: string): Promise<number> {
    const { reply, rest } = await openStream(api.url, key, query);
    const { bytes } = await rest();
    expect(bytes).toBeGreaterThan(Number(reply.trailers['logferry-rows']) * 200);
    return Number(reply.trailers['logferry-rows']);
  }

  it('takes no more memory for all of them than for a tenth', async () => {
    expect(await takeAll(`format=csv&through_sequence=${count / 10}`)).toBe(count / 10);
    const before = await api.peakMemory();
    expect(await takeAll(`format=csv&through_sequence=${count}`)).toBe(count);
    const peak = await api.peakMemory();
    expect(peak).toBeLessThan(limitsMiB.peak);
    expect(peak - before).toBeLessThan(limitsMiB.growth);
  }, 120_000);

  it('takes no more while clients of 10 kB a second read', async () => {
    const slow = await Promise.all(Array.from({ length: 5 }, () => openStream(api.url, key)));
    await Promise.all(slow.map((stream) => stream.trickle(10_000, 5_000)));
    expect(await api.peakMemory()).toBeLessThan(limitsMiB.peak);
    for (const { hangUp } of slow) hangUp();
  });

  it('takes little more for fifty at once', async () => {
    // The first 5,000 events, by their time: each stream has read no others.
    const streams = Array.from({ length: 50 }, () => takeAll('to=2025-01-01T01:23:20Z'));
    expect(new Set(await Promise.all(streams))).toEqual(new Set([5_000]));
    expect(await api.peakMemory()).toBeLessThan(limitsMiB.peak);
  });

  it('cuts the stream when it is stopped, and says in the audit log that it was not complete', async () => {
    const stream = await openStream(api.url, key);
    await stream.take(1);
    expect(await api.ended('SIGTERM')).toBe(0);
    await expect(stream.rest()).rejects.toMatchObject({ code: 'ECONNRESET' });
    const { rows } = await app.database.pool.query(
      `select metadata->>'complete' as complete, (metadata->>'rows')::int as rows from events
       where tenant_id = $1 and action = 'logferry.events.streamed' order by sequence_number desc limit 1`,
      [tenantId],
    );
    expect(rows[0].complete).toBe('false');
    expect(rows[0].rows).toBeLessThan(count);
  });
});

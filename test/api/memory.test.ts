import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../add-events.ts';
import { type ApiProcess, startApiProcess } from './api-process.ts';
import { type App, bodyOf, type Call, startApp } from './start-app.ts';

/** MiB: the heap that the process gets, and what it may take with it, with its buffers and its code. */
const heapMiB = 600;
const peakMiB = 600;
/** Milliseconds of a call of the neighbor, at p95, also where other tests take the machine. */
const mostP95Ms = 3_000;
/** Events of the tenant that attacks; each has almost a mebibyte. */
const largeEvents = 40;

const onLinux = process.platform === 'linux';
const named = (text: string) =>
  onLinux ? text : `${text} (skipped: ${process.platform} has no /proc to read the memory from)`;

describe.skipIf(!onLinux)(named('An API process with a heap of 600 MiB'), { timeout: 60_000 }, () => {
  let app: App;
  let api: ApiProcess;
  /** Of the tenant that has large events, and of one that writes them. */
  let key: string;
  let writer: string;
  let neighbor: Call;
  beforeAll(async () => {
    app = await startApp();
    const attacker = await app.newTenant();
    key = attacker.key;
    writer = (await app.newTenant()).key;
    await addManyEvents(app.database, attacker.tenant.id, { count: largeEvents, noiseBytes: 1_000_000 });
    api = await startApiProcess(app, {}, [`--max-old-space-size=${heapMiB}`]);
    const other = await app.newTenant();
    neighbor = (path, { json, headers, ...init } = {}) =>
      fetch(api.url + path, {
        ...(json === undefined ? init : { ...init, method: 'POST', body: JSON.stringify(json) }),
        headers: { authorization: `Bearer ${other.key}`, 'content-type': 'application/json' },
      });
    expect((await neighbor('/v1/events', { json: { action: 'before' } })).status).toBe(201);
  }, 60_000);
  afterAll(async () => {
    await api?.ended('SIGKILL');
    await app.close();
  });

  const figure = async (name: string): Promise<number> => {
    const text = await (await fetch(`${api.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };

  /** The attack beside a tenant who does as usual, until it is over: nobody else may feel it, and nothing of it may stay. */
  async function beside(attack: () => Promise<void>): Promise<void> {
    let over = false;
    const attacking = Promise.allSettled([attack()]).then(([result]) => {
      over = true;
      return result;
    });
    const statuses = new Set<number>();
    const times: number[] = [];
    while (!over) {
      const start = performance.now();
      statuses.add((await neighbor('/v1/events', { json: { action: 'user.login' } })).status);
      const list = await neighbor('/v1/events?limit=10');
      statuses.add(list.status);
      await list.arrayBuffer();
      times.push((performance.now() - start) / 2);
    }
    const result = await attacking;
    if (result.status === 'rejected') throw result.reason;
    expect([...statuses].sort()).toEqual([200, 201]);
    await expect.poll(() => figure('logferry_memory_held_bytes')).toBe(0);
    const peak = await api.peakMemory();
    const p95 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)]!;
    expect(peak).toBeLessThan(peakMiB);
    expect(p95).toBeLessThan(mostP95Ms);
  }

  const head = (method: string, path: string, more: Record<string, string> = {}): string =>
    [
      `${method} ${path} HTTP/1.1`,
      'Host: api',
      `Authorization: Bearer ${key}`,
      ...Object.entries(more).map(([name, value]) => `${name}: ${value}`),
      '',
      '',
    ].join('\r\n');

  /** Connections that send this and read nothing. */
  const silent = (count: number, text: string | Buffer): Promise<Socket[]> =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const { hostname, port } = new URL(api.url);
        const socket = connect(Number(port), hostname).on('error', () => {});
        await new Promise((sent) => socket.write(text, sent));
        return socket;
      }),
    );

  const ndjson = { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip' };

  it('takes forty compressed streams that unpack to 600 MB as far as there is memory, and tells the others to come again', async () => {
    const line = `${JSON.stringify({ action: 'large', description: 'x'.repeat(1_000_000) })}\n`;
    const body = gzipSync(line.repeat(15)) as Uint8Array<ArrayBuffer>;
    expect(body.length).toBeLessThan(20_000);
    await beside(async () => {
      const hangUp = new AbortController();
      const statuses: number[] = [];
      const post = async () => {
        const reply = await fetch(`${api.url}/v1/events/batch`, {
          method: 'POST',
          body,
          headers: { ...ndjson, authorization: `Bearer ${writer}` },
          signal: hangUp.signal,
        });
        statuses.push(reply.status);
        expect(reply.headers.has('retry-after')).toBe(reply.status === 503);
        await reply.arrayBuffer();
      };
      const posting = Promise.allSettled(Array.from({ length: 40 }, post));
      // All of them would take a minute of the database.
      await expect
        .poll(() => statuses.filter((status) => status === 503).length, { timeout: 20_000 })
        .toBeGreaterThan(5);
      await expect
        .poll(() => statuses.filter((status) => status === 201).length, { timeout: 20_000 })
        .toBeGreaterThan(0);
      hangUp.abort();
      await posting;
      expect([...new Set(statuses)].sort()).toEqual([201, 503]);
    });
  });

  it('gives 120 half-sent batches that unpack to 16 MiB each no more than their tenant has', async () => {
    const packed = gzipSync(`{"events":[${'  '.repeat(8_000_000)}`);
    const request = Buffer.concat([
      Buffer.from(
        head('POST', '/v1/events/batch', {
          'Content-Type': 'application/json',
          'Content-Encoding': 'gzip',
          'Content-Length': '1000000',
        }),
      ),
      packed,
    ]);
    await beside(async () => {
      const sockets = await silent(120, request);
      await expect
        .poll(() => figure('logferry_memory_refused_total{kind="bodies"}'), { timeout: 20_000 })
        .toBeGreaterThan(80);
      for (const socket of sockets) socket.destroy();
    });
  });

  it('keeps a few lists of large events for clients that never read them, and no more', async () => {
    await beside(async () => {
      const sockets = await silent(60, head('GET', '/v1/events?limit=100'));
      await expect
        .poll(() => figure('logferry_memory_refused_total{kind="pages"}'), { timeout: 20_000 })
        .toBeGreaterThan(10);
      for (const socket of sockets) socket.destroy();
    });
  });

  it('answers a hundred lists on one connection one after the other, and none of them while the first is not read', async () => {
    await beside(async () => {
      const sockets = await silent(4, head('GET', '/v1/events?limit=100').repeat(100));
      await expect.poll(() => figure('logferry_memory_held_bytes{kind="replies"}')).toBeGreaterThan(4 * 5_000_000);
      for (let n = 0; n < 20; n++) expect((await neighbor('/v1/events?limit=10')).status).toBe(200);
      expect(await figure('logferry_memory_held_bytes{kind="replies"}')).toBeLessThan(4 * 10_000_000);
      for (const socket of sockets) socket.destroy();
    });
  });

  it("sends Frontegg's lists whole, row by row, however large their events and however slow their clients are", async () => {
    await beside(async () => {
      const path = '/audits/resources/audits/v2?count=200&sortBy=createdAt&sortDirection=asc';
      const sockets = await silent(40, head('GET', path));
      for (const socket of sockets) socket.destroy();
      const { data, total } = await bodyOf(fetch(api.url + path, { headers: { authorization: `Bearer ${key}` } }));
      expect([data.length, total]).toEqual([largeEvents, largeEvents]);
      const times = data.map((each: { createdAt: string }) => each.createdAt);
      expect(times).toEqual(times.toSorted());
    });
  });
});

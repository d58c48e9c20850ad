import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunkLimits } from '../../core/limits/bodies.ts';
import { type App, bodyOf, type Call, startApp } from './start-app.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const path = '/v1/events/batch';
const type = { 'content-type': 'application/x-ndjson' };
const stream = (call: Call, body: RequestInit['body'], headers: Record<string, string> = {}) =>
  call(path, { method: 'POST', body, headers: { ...type, ...headers } });
const lines = (events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');
const numbered = (count: number) => Array.from({ length: count }, (_, i) => ({ action: `a${i + 1}` }));
/** Long enough to be gathered in the database. */
const long = 2 * chunkLimits.events + 500;

async function actions(tenantId: string): Promise<string[]> {
  const { rows } = await app.database.pool.query(
    'select action from events where tenant_id = $1 order by sequence_number',
    [tenantId],
  );
  return rows.map((row) => row.action);
}
const verdict = async (call: Call) => (await bodyOf(call('/v1/verify'))).data;

/** A client that sends as it is told. */
function openRequest(key: string, headers: Record<string, string> = {}) {
  const request = http.request(app.url + path, {
    method: 'POST',
    headers: { ...type, authorization: `Bearer ${key}`, ...headers },
  });
  request.on('error', () => {});
  const replied = once(request, 'response').then(async ([reply]: http.IncomingMessage[]) => {
    let text = '';
    for await (const part of reply!) text += part;
    return { status: reply!.statusCode, body: JSON.parse(text) };
  });
  replied.catch(() => {});
  return { request, replied };
}

/** Ends when so many streams are being gathered in this database. */
async function untilStaging(count: number): Promise<void> {
  const staging = `select count(*)::int from pg_class where relname = 'staged_events'`;
  while ((await app.database.pool.query(staging)).rows[0].count !== count);
}

describe('POST /v1/events/batch with NDJSON', () => {
  it.each([1, 3, chunkLimits.events, chunkLimits.events + 1, long])('stores %i lines in their order', async (count) => {
    const { tenant, call } = await app.newTenant();
    const reply = await stream(call, lines(numbered(count)));
    expect([reply.status, await bodyOf(reply)]).toEqual([201, { data: { accepted: count } }]);
    expect(await actions(tenant.id)).toEqual(numbered(count).map((event) => event.action));
    expect(await verdict(call)).toMatchObject({ status: 'valid', events_checked: count });
  });

  it('skips blank lines, takes CRLF, a byte order mark, and a last line that is not ended', async () => {
    const { tenant, call } = await app.newTenant();
    const body = '\ufeff{"action":"a1"}\r\n\r\n \t\n{"action":"a2"}\n\n{"action":"a3"}';
    expect(await bodyOf(stream(call, body))).toEqual({ data: { accepted: 3 } });
    expect(await actions(tenant.id)).toEqual(['a1', 'a2', 'a3']);
  });

  it('takes nothing for an empty stream', async () => {
    const { call } = await app.newTenant();
    for (const body of ['', '\n\n']) expect(await bodyOf(stream(call, body))).toEqual({ data: { accepted: 0 } });
  });

  it.each([10, long])('counts repeats among %i lines, but stores them once', async (count) => {
    const { tenant, call } = await app.newTenant();
    const stored = { action: 'stored', id: randomUUID() };
    await call('/v1/events', { json: stored });
    const twice = { action: 'twice', id: randomUUID() };
    const given = [...numbered(count), stored, twice, { ...twice, action: 'second' }];
    expect(await bodyOf(stream(call, lines(given)))).toEqual({ data: { accepted: count + 3 } });
    expect(await actions(tenant.id)).toEqual(['stored', ...numbered(count).map((event) => event.action), 'twice']);
    expect(await bodyOf(stream(call, lines([stored, twice])))).toEqual({ data: { accepted: 2 } });
    expect(await verdict(call)).toMatchObject({ status: 'valid', events_checked: count + 2 });
  });

  it.each([
    [3, '{"action":"x"', 'lines.3'],
    [3, '{"acton":"x"}', 'lines.3.action'],
    [long, '{"action":"x","metadata":{"n":1e999}}', `lines.${long}.metadata.n`],
    [long, '\0', `lines.${long}`],
  ])('keeps nothing when line %i is %s, and names the line', async (number, bad, where) => {
    const { tenant, call } = await app.newTenant();
    const reply = await stream(call, `${lines(numbered(number - 1))}${bad}\n${lines(numbered(5))}`);
    const problem = await bodyOf(reply);
    expect(reply.status).toBe(422);
    expect(problem).toMatchObject({ line: number, detail: expect.stringContaining(`Line ${number}: `) });
    expect(problem.errors.map((error: { path: string }) => error.path)).toContain(where);
    expect(await actions(tenant.id)).toEqual([]);
  });

  it('answers 422 while the client is still sending', async () => {
    const { tenant, key } = await app.newTenant();
    const { request, replied } = openRequest(key);
    request.write('{"action":"a1"}\n{"acton":1}\n{"action":');
    expect(await replied).toMatchObject({ status: 422, body: { line: 2 } });
    request.end('"a3"}\n');
    expect(await actions(tenant.id)).toEqual([]);
  });

  it('answers 413 for a line over 16 MiB, and takes one below whose event is small', async () => {
    const { call } = await app.newTenant();
    const line = (bytes: number) => `{"action":"a"${' '.repeat(bytes)}}\n`;
    expect((await stream(call, line(16 * 1024 * 1024))).status).toBe(413);
    expect((await stream(call, line(15 * 1024 * 1024))).status).toBe(201);
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('unpacks %s', async (encoding, compress) => {
    const { tenant, call } = await app.newTenant();
    const body = new Uint8Array(compress(lines(numbered(long))));
    const reply = await stream(call, body, { 'content-encoding': encoding });
    expect(await bodyOf(reply)).toEqual({ data: { accepted: long } });
    expect(await actions(tenant.id)).toHaveLength(long);
  });

  it('answers 400 for a compressed body that is cut or spoiled, 415 for an encoding that is not known', async () => {
    const { tenant, call } = await app.newTenant();
    const whole = new Uint8Array(gzipSync(lines(numbered(long))));
    const gzip = { 'content-encoding': 'gzip' };
    expect((await stream(call, whole.subarray(0, whole.length - 20), gzip)).status).toBe(400);
    expect((await stream(call, new Uint8Array(1000).fill(7), gzip)).status).toBe(400);
    expect((await stream(call, whole, { 'content-encoding': 'compress' })).status).toBe(415);
    expect(await actions(tenant.id)).toEqual([]);
  });

  it.each([5, long])('keeps nothing of a client that hangs up after %i lines', async (count) => {
    const { tenant, key } = await app.newTenant();
    const { request } = openRequest(key);
    request.write(lines(numbered(count)));
    if (count === long) await untilStaging(1);
    request.destroy();
    await untilStaging(0);
    expect(await actions(tenant.id)).toEqual([]);
    // The tenant's chain is free.
    expect(await bodyOf(app.caller(key)('/v1/events', { json: { action: 'next' } }))).toMatchObject({
      data: { sequence_number: 1 },
    });
  });

  it('keeps nobody waiting while its client is slow, and joins the chain at its end', async () => {
    const { tenant, key, call } = await app.newTenant();
    const { request, replied } = openRequest(key);
    request.write(lines(numbered(long)));
    await untilStaging(1);
    const own = { action: 'meanwhile', id: randomUUID() };
    expect((await call('/v1/events', { json: own })).status).toBe(201);
    request.end(lines([own, { action: 'last' }]));
    expect(await replied).toMatchObject({ status: 201, body: { data: { accepted: long + 2 } } });
    const all = await actions(tenant.id);
    expect([all[0], all[1], all.at(-1), all.length]).toEqual(['meanwhile', 'a1', 'last', long + 2]);
    expect(await verdict(call)).toMatchObject({ status: 'valid' });
  });

  it('lets more streams wait than it gathers at a time, and takes them all', async () => {
    const tenants = await Promise.all(Array.from({ length: 7 }, () => app.newTenant()));
    const open = tenants.map(({ key }) => openRequest(key));
    for (const { request } of open) request.write(lines(numbered(long)));
    await untilStaging(4);
    for (const { request } of open) request.end();
    for (const { replied } of open) expect(await replied).toMatchObject({ body: { data: { accepted: long } } });
    await untilStaging(0);
  });

  it('tells a client that asks with Expect: 100-continue to go on', async () => {
    const { key } = await app.newTenant();
    const { request, replied } = openRequest(key, { expect: '100-continue' });
    request.flushHeaders();
    await once(request, 'continue');
    request.end(lines(numbered(3)));
    expect(await replied).toMatchObject({ status: 201, body: { data: { accepted: 3 } } });
  });

  it('takes a stream of fetch whose length nobody knows', async () => {
    const { call } = await app.newTenant();
    const body = Readable.toWeb(Readable.from(numbered(long).map((event) => `${JSON.stringify(event)}\n`)));
    const init = { method: 'POST', body, headers: type, duplex: 'half' } as unknown as RequestInit;
    expect(await bodyOf(call(path, init))).toEqual({ data: { accepted: long } });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../core/ids.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { type Family, readMetrics, valueIn } from '../../core/read-metrics.ts';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

describe('GET /metrics', () => {
  let app: App;
  let call: Call;
  beforeAll(async () => {
    app = await startApp();
    ({ call } = await app.newTenant());
  });
  afterAll(() => app.close());

  const scrape = async () => readMetrics(await (await fetch(`${app.url}/metrics`)).text());
  const requests = (families: Map<string, Family>, route: string, status: number, method = 'GET') =>
    valueIn(families, 'logferry_http_requests_total', { route, method, status: String(status) });

  it('answers in the text format, without a key, and tells the version', async () => {
    const reply = await fetch(`${app.url}/metrics`);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const families = readMetrics(await reply.text());
    expect(valueIn(families, 'logferry_build_info', { version: packageJson.version })).toBe(1);
  });

  it('counts requests by the pattern of their route, with method and status, and times them', async () => {
    const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' } }));
    await call(`/v1/exports/${id}`);
    await call(`/v1/exports/${newId()}`);
    await call('/v1/exports/no-id');
    await call('/v1/exports', { json: { format: 'nonsense' } });
    await call(`/v1/exports/${id}`, { method: 'DELETE' });
    const families = await scrape();
    expect(requests(families, '/v1/exports', 202, 'POST')).toBe(1);
    expect(requests(families, '/v1/exports', 422, 'POST')).toBe(1);
    expect(requests(families, '/v1/exports/:id', 200)).toBe(1);
    expect(requests(families, '/v1/exports/:id', 404)).toBe(2);
    expect(requests(families, '/v1/exports/:id', 204, 'DELETE')).toBe(1);
    const timed = { route: '/v1/exports/:id', method: 'GET' };
    expect(valueIn(families, 'logferry_http_request_seconds_count', timed)).toBe(3);
    expect(valueIn(families, 'logferry_http_request_seconds_sum', timed)).toBeGreaterThan(0);
  });

  it('holds no path, id or name that a client chose: what reaches no route has none', async () => {
    for (let i = 0; i < 20; i++) await fetch(`${app.url}/chosen-${i}/by-client?q=${i}`);
    await fetch(`${app.url}/v1/exports/${newId()}`);
    await call('/v1/nothing-here');
    await fetch(`${app.url}/files/chosen-key`);
    const text = await (await fetch(`${app.url}/metrics`)).text();
    expect(text).not.toMatch(/chosen|nothing-here|[0-9a-f]{8}-[0-9a-f]{4}/);
    const families = readMetrics(text);
    expect(requests(families, 'none', 404)).toBe(21);
    expect(requests(families, 'none', 401)).toBe(1);
    expect(requests(families, '/files/*key', 403)).toBe(1);
  });

  it('counts events, however they come', async () => {
    const before = valueIn(await scrape(), 'logferry_events_written_total')!;
    await call('/v1/events', { json: { action: 'a' } });
    await call('/v1/events/batch', { json: { events: [{ action: 'b' }, { action: 'c' }] } });
    const lines = Array.from({ length: 3_000 }, (_, n) => `{"action":"n","metadata":{"n":${n}}}\n`).join('');
    const headers = { 'content-type': 'application/x-ndjson' };
    expect((await call('/v1/events/batch', { method: 'POST', headers, body: lines })).status).toBe(201);
    await call('/v1/events', { json: { nonsense: true } });
    expect(valueIn(await scrape(), 'logferry_events_written_total')).toBe(before + 3_003);
  });

  it('counts exports that are made and those that end here, each once', async () => {
    const before = await scrape();
    const headers = { 'idempotency-key': 'once' };
    const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' }, headers }));
    await call('/v1/exports', { json: { format: 'csv' }, headers });
    await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
    await call(`/v1/exports/${id}`, { method: 'DELETE' });
    const after = await scrape();
    const grown = (name: string, labels = {}) => valueIn(after, name, labels)! - valueIn(before, name, labels)!;
    expect(grown('logferry_exports_created_total')).toBe(1);
    expect(grown('logferry_exports_ended_total', { outcome: 'canceled' })).toBe(1);
  });

  it('shows the streams under way, until they end or their client goes', async () => {
    const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' } }));
    const streams = async (kind: string) => valueIn(await scrape(), 'logferry_http_streams', { kind });
    const leaving = new AbortController();
    const progress = await call(`/v1/exports/${id}/events`, { signal: leaving.signal });
    const { readable, writable } = new TransformStream<Uint8Array>();
    const headers = { 'content-type': 'application/x-ndjson' };
    const init = { method: 'POST', headers, body: readable, duplex: 'half' } as RequestInit;
    const writing = call('/v1/events/batch', init);
    const writer = writable.getWriter();
    await writer.write(new TextEncoder().encode('{"action":"a"}\n'));
    await expect.poll(() => streams('events_in')).toBe(1);
    expect(await streams('progress')).toBe(1);
    leaving.abort();
    await progress.text().catch(() => {});
    await writer.close();
    await writing;
    await expect.poll(() => streams('progress')).toBe(0);
    await expect.poll(() => streams('events_in')).toBe(0);
  });

  it('counts requests that are refused because there are too many', async () => {
    const limited = await startApp({ LOGFERRY_RATE_LIMIT: '2' });
    for (let i = 0; i < 5; i++) await limited.admin('/v1/tenants');
    const families = readMetrics(await (await fetch(`${limited.url}/metrics`)).text());
    expect(valueIn(families, 'logferry_http_rate_limited_total')).toBe(3);
    await limited.close();
  });
});

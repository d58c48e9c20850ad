import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../core/events/events.ts';
import { addEvents } from '../add-events.ts';
import { openStream } from '../api/open-stream.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';

const count = 60;
const events = Array.from({ length: count }, (_, i) => ({
  action: ['user.login', 'user.deleted', 'doc.shared'][i % 3],
  severity: ['Info', 'Critical'][i % 2],
  actor: { id: `u${i % 4}`, email: `u${i % 4}@example.com`, name: 'Ännchen, "A."' },
  target: { type: 'doc', id: `d${i % 5}` },
  context: { ip: `10.0.0.${i % 3}`, user_agent: 'two\r\nlines' },
  description: i % 7 === 0 ? '=1+1' : null,
  metadata: { n: i, 'a.b': i % 2 === 0 },
  occurred_at: `2026-01-${String(((i * 7) % 20) + 1).padStart(2, '0')}T00:00:00.00000${i % 10}Z`,
}));

let app: Exporting;
let call: Call;
let key: string;
let tenantId: string;
beforeAll(async () => {
  // So that a few rows make many segments.
  app = await startExporting({ LOGFERRY_SEGMENT_ROWS: '7', LOGFERRY_RATE_LIMIT: '5000' });
  ({
    call,
    key,
    tenant: { id: tenantId },
  } = await app.newTenant());
  await addEvents(app.database, tenantId, events);
});
afterAll(() => app.close());

const path = '/v1/events/export';
const bytesOf = async (query: string, by = call) => Buffer.from(await (await by(`${path}?${query}`)).arrayBuffer());
const rowsOf = async (query: string, by = call): Promise<Event[]> => bodyOf(by(`${path}?${query}`));
const numbers = (rows: Event[]) => rows.map((row) => row.metadata.n);

/** What the tenant's audit log says of its streams, the latest last. */
async function streamed(tenant: string) {
  const { rows } = await app.database.pool.query(
    `select actor_type, actor_name, context_ip, context_user_agent, target_id, metadata from events
     where tenant_id = $1 and action = 'logferry.events.streamed' order by sequence_number`,
    [tenant],
  );
  return rows;
}

describe('GET /v1/events/export', () => {
  it.each([
    ['', {}],
    ['action=user.*', { action: 'user.*' }],
    ['action=*.deleted&action=doc.shared', { action: ['*.deleted', 'doc.shared'] }],
    ['actor_id=u1&actor_id=u3', { actor_id: ['u1', 'u3'] }],
    ['actor_email=u2@example.com', { actor_email: 'u2@example.com' }],
    ['target_type=doc&target_id=d4', { target_type: 'doc', target_id: 'd4' }],
    ['severity=critical&ip=10.0.0.1', { severity: 'critical', ip: '10.0.0.1' }],
    ['from=2026-01-05&to=2026-01-08T00:00:00.000005Z', { from: '2026-01-05', to: '2026-01-08T00:00:00.000005Z' }],
    ['search=SHARED+%C3%A4nnchen', { search: 'SHARED ännchen' }],
    [
      `metadata=${encodeURIComponent('{"n": {"$gte": 10}, "[\\"a.b\\"]": true}')}`,
      { metadata: { n: { $gte: 10 }, '["a.b"]': true } },
    ],
    ['action=nothing.like.this', { action: 'nothing.like.this' }],
  ])('gives the bytes of an export with the same filter: %s', async (query, filter) => {
    const bounds = { after_sequence: 2, through_sequence: count };
    for (const format of ['csv', 'json'] as const) {
      const file = await exportFile(call, { format, filter: { ...filter, ...bounds } });
      const bytes = await bytesOf(`format=${format}&${query}&after_sequence=2&through_sequence=${count}`);
      expect(bytes.equals(file.bytes)).toBe(true);
      const all = await exportFile(call, { format, filter: { ...filter, through_sequence: count } });
      expect((await bytesOf(`format=${format}&${query}&through_sequence=${count}`)).equals(all.bytes)).toBe(true);
    }
  });

  it('gives whole events as a JSON array, oldest first, ties by number', async () => {
    const rows = await rowsOf(`through_sequence=${count}`);
    const expected = events
      .map((event, n) => ({ n, at: `${event.occurred_at} ${String(n).padStart(3, '0')}` }))
      .sort((a, b) => (a.at < b.at ? -1 : 1));
    expect(numbers(rows)).toEqual(expected.map(({ n }) => n));
    for (const row of [rows[0]!, rows.at(-1)!])
      expect(await bodyOf(call(`/v1/events/${row.id}`))).toEqual({ data: row });
  });

  it('gives a header row alone, or an empty array, where nothing matches', async () => {
    expect(await rowsOf('action=nothing')).toEqual([]);
    expect((await bytesOf('format=csv&action=nothing')).toString()).toMatch(/^id,sequence_number,[^\r\n]*\r\n$/);
  });

  it.each([
    ['', 'application/json', 'json'],
    ['format=json', 'application/json', 'json'],
    ['format=csv', 'text/csv; charset=utf-8', 'csv'],
  ])('sends the headers of LogProof for "%s"', async (query, type, extension) => {
    const before = new Date(Date.now() - 1000).toISOString();
    const { reply, rest } = await openStream(app.url, key, query);
    const { headers } = reply;
    expect(reply.statusCode).toBe(200);
    expect(headers['content-type']).toBe(type);
    const [, stamp] = /^attachment; filename="events-export-(\d{8}T\d{6}Z)\.(?:json|csv)"$/.exec(
      headers['content-disposition']!,
    )!;
    expect(headers['content-disposition']).toMatch(new RegExp(`\\.${extension}"$`));
    expect(stamp! >= `${before.slice(0, 19).replaceAll(/[-:]/g, '')}Z`).toBe(true);
    expect(headers['content-length']).toBeUndefined();
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers['x-ratelimit-limit']).toBe('5000');
    expect(Number(headers['x-ratelimit-remaining'])).toBeLessThan(5000);
    await rest();
  });

  it('is sent as it is, also to a client that would take it compressed', async () => {
    const reply = await call(path, { headers: { 'accept-encoding': 'gzip, zstd' } });
    expect(reply.headers.get('content-encoding')).toBeNull();
    await reply.json();
  });

  it('names the number up to which it goes before the rows, and how many there were behind them', async () => {
    const { reply, rest } = await openStream(app.url, key, 'action=user.login');
    const head = await bodyOf(call('/v1/events?sort=-sequence_number&limit=1'));
    await rest();
    expect(Number(reply.headers['logferry-as-of-sequence'])).toBeLessThanOrEqual(head.data[0].sequence_number);
    expect(Number(reply.headers['logferry-as-of-sequence'])).toBeGreaterThanOrEqual(count);
    expect(reply.trailers).toEqual({ 'logferry-rows': '20' });
  });

  it('answers HEAD with the same headers, without a scan and without an audit event', async () => {
    const { tenant, call } = await app.newTenant();
    const scans = app.database.scans.totalCount;
    const reply = await call(`${path}?format=csv`, { method: 'HEAD' });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(reply.headers.get('content-disposition')).toMatch(/^attachment; filename="events-export-.*\.csv"$/);
    expect(await reply.text()).toBe('');
    expect(app.database.scans.totalCount).toBe(scans);
    // One event about a GET, and none before it.
    await call(path).then((got) => got.text());
    await expect.poll(() => streamed(tenant.id)).toHaveLength(1);
  });

  it('serves a client of HTTP/1.0, which knows no chunks, and ends the connection', async () => {
    const { hostname, port } = new URL(app.url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${path}?action=user.login HTTP/1.0\r\nAuthorization: Bearer ${key}\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += chunk;
    const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
    expect(head).toMatch(/^HTTP\/1\.[01] 200 /);
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(JSON.parse(body)).toHaveLength(20);
  });

  it.each([
    ['format=xml', 'format', 'unknown format "xml". Allowed: json, csv'],
    ['format=jsno', 'format', 'did you mean "json"?'],
    ['format=csv&format=json', 'format', 'Allowed: json, csv'],
    ['fromat=csv', 'fromat', 'did you mean "format"?'],
    ['acton=x', 'acton', 'did you mean "action"?'],
    ['limit=5', 'limit', 'Allowed: format, action, '],
    ['from=yesterday', 'from', 'RFC 3339'],
    ['from=2026-01-02&to=2026-01-01', 'from', 'after "to"'],
    ['severity=hihg', 'severity', 'did you mean "High"?'],
    ['metadata=%7B', 'metadata', 'object'],
    ['action=', 'action', 'must not be empty'],
  ])('answers 422 for %s and names %s', async (query, at, message) => {
    const reply = await call(`${path}?${query}`);
    expect(reply.status).toBe(422);
    expect(reply.headers.get('content-disposition')).toBeNull();
    expect((await bodyOf(reply)).errors).toEqual([{ path: at, message: expect.stringContaining(message) }]);
  });

  it('answers 401 without a key, 403 without the scope, and 403 below the plan "pro"', async () => {
    expect((await fetch(app.url + path)).status).toBe(401);
    const reader = await app.newTenant({ scopes: ['events:read'] });
    const refused = await reader.call(path);
    expect([refused.status, (await bodyOf(refused)).error.type]).toEqual([403, 'scope_error']);
    const free = await app.newTenant({ plan: 'free' });
    const unavailable = await free.call(path);
    expect([unavailable.status, (await bodyOf(unavailable)).error.type]).toEqual([403, 'plan_feature_unavailable']);
    for (const plan of ['pro', 'enterprise'] as const) {
      const able = await app.newTenant({ plan, scopes: ['export'] });
      expect(await rowsOf('', able.call)).toEqual([]);
    }
  });

  it('answers 405 for other methods', async () => {
    const reply = await call(path, { method: 'POST' });
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe('GET, HEAD');
  });

  it("holds none of another tenant's events, and those of the tenant that a management key names", async () => {
    const other = await app.newTenant();
    await addEvents(app.database, other.tenant.id, [{ action: 'of.another' }]);
    expect((await rowsOf('', other.call)).map((row) => row.action)).toEqual(['of.another']);
    expect((await rowsOf('')).map((row) => row.action)).not.toContain('of.another');
    const named = { headers: { 'logferry-tenant': other.tenant.id } };
    const rows: Event[] = await bodyOf(app.admin(`${path}?action=of.*`, named));
    expect(rows.map((row) => row.action)).toEqual(['of.another']);
    expect((await app.admin(path)).status).toBe(400);
  });

  it('sends the first byte at once, though the first row that matches is far', async () => {
    const blocker = await app.database.pool.connect();
    try {
      await blocker.query('begin');
      // Nothing can be read of the table until this ends.
      await blocker.query('lock table events in access exclusive mode');
      for (const [format, first] of [
        ['json', '['],
        ['csv', 'id,sequence_number'],
      ]) {
        const started = performance.now();
        const { take, hangUp } = await openStream(app.url, key, `format=${format}`);
        expect((await take(1)).toString()).toMatch(new RegExp(`^\\${first}`));
        expect(performance.now() - started).toBeLessThan(1000);
        hangUp();
      }
    } finally {
      await blocker.query('rollback');
      blocker.release();
    }
  });

  it('is written into the audit log with rows, filter and who asked', async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, events);
    const headers = { 'user-agent': 'puller/1' };
    await call(`${path}?action=user.login&format=csv`, { headers }).then((reply) => reply.text());
    await expect.poll(() => streamed(tenant.id)).toHaveLength(1);
    expect((await streamed(tenant.id))[0]).toEqual({
      actor_type: 'api_key',
      actor_name: 'test',
      context_ip: '127.0.0.1',
      context_user_agent: 'puller/1',
      target_id: null,
      metadata: {
        format: 'csv',
        compression: 'none',
        filter: { action: 'user.login' },
        filter_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        columns: 0,
        as_of_sequence: count,
        rows: 20,
        complete: true,
      },
    });
  });
});

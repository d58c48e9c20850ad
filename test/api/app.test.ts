import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeApiKey } from '../../core/access/api-keys.ts';
import { openDatabase } from '../../prisma/client.ts';
import { heardLog } from './heard-log.ts';
import { type App, bodyOf, startApp } from './start-app.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('The API', () => {
  let app: App;
  const { log, entry, entries } = heardLog();
  beforeAll(async () => {
    app = await startApp({}, { log });
  });
  afterAll(() => app.close());

  it('answers an error with the whole problem document', async () => {
    const reply = await app.admin('/v1/nothing?a=1');
    expect(reply.status).toBe(404);
    expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const message = 'There is nothing at /v1/nothing. Check the path.';
    expect(await bodyOf(reply)).toEqual({
      type: 'https://logferry.dev/errors/not_found',
      title: 'Not found',
      status: 404,
      detail: message,
      request_id: reply.headers.get('x-request-id'),
      error: { type: 'not_found', message },
    });
  });

  it.each([['/v2/events'], ['/v1'], ['/v1/tenants/a/b'], ['/.env']])('answers 404 for %s', async (path) => {
    const reply = await app.admin(path);
    expect(reply.status).toBe(404);
    expect((await bodyOf(reply)).error.type).toBe('not_found');
  });

  it.each([
    ['PUT', '/v1/tenants', 'GET, HEAD, POST'],
    ['PUT', '/v1/tenants/x', 'DELETE, GET, HEAD, PATCH'],
    ['POST', '/v1/regions', 'GET, HEAD'],
    ['POST', '/livez', 'GET, HEAD'],
    ['POST', '/v1/api-keys/x', 'DELETE, GET, HEAD'],
  ])('answers 405 for %s %s, and which methods there are', async (method, path, allow) => {
    const reply = await app.admin(path, { method });
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe(allow);
    expect((await bodyOf(reply)).error.type).toBe('method_not_allowed');
  });

  it.each([['/v1/tenants/%zz'], ['/v1/tenants/%'], ['/v1/tenants/%c3%28']])(
    'answers 400 for the path %s',
    async (path) => {
      const reply = await app.admin(path);
      expect(reply.status).toBe(400);
      expect((await bodyOf(reply)).error.type).toBe('bad_request');
    },
  );

  it('answers HEAD as GET, without a body', async () => {
    expect((await app.admin('/v1/tenants', { method: 'HEAD' })).status).toBe(200);
    const missing = await app.admin('/v1/tenants/x', { method: 'HEAD' });
    expect(missing.status).toBe(404);
    expect(await missing.text()).toBe('');
  });

  it('says nothing of what it is made of', async () => {
    const reply = await app.admin('/v1/tenants');
    expect(reply.headers.get('x-powered-by')).toBeNull();
    expect(reply.headers.get('etag')).toBeNull();
  });

  it('takes over a sane request id and makes one otherwise', async () => {
    const idFor = async (id?: string) =>
      (await fetch(`${app.url}/livez`, { headers: id ? { 'x-request-id': id } : {} })).headers.get('x-request-id');
    expect(await idFor('Order-7.retry_2')).toBe('Order-7.retry_2');
    for (const id of [undefined, 'a b', 'a"b', 'x'.repeat(129), 'é']) expect(await idFor(id)).toMatch(uuid);
  });

  it('writes one line a request, with tenant and without query or key', async () => {
    const { call, tenant, key } = await app.newTenant();
    const secret = 'signature-of-a-link';
    const reply = await call(`/v1/api-keys?limit=1&cursor=${secret}`, { headers: { 'x-request-id': 'line' } });
    expect(reply.status).toBe(422);
    const line = await entry((each) => each.request_id === 'line');
    expect(line).toMatchObject({
      msg: 'request',
      method: 'GET',
      path: '/v1/api-keys',
      status: 422,
      tenant_id: tenant.id,
      duration_ms: expect.any(Number),
    });
    const all = JSON.stringify(entries);
    for (const hidden of [secret, key, app.adminKey]) expect(all).not.toContain(hidden);
  });

  it('names the export that a request is about, whether it makes it or asks for it', async () => {
    const { call, tenant } = await app.newTenant();
    const headers = (id: string) => ({ headers: { 'x-request-id': id } });
    const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' }, ...headers('makes') }));
    await call(`/v1/exports/${id}`, headers('asks'));
    await call('/v1/exports/no-id', headers('errs'));
    for (const request of ['makes', 'asks']) {
      const line = await entry((each) => each.request_id === request);
      expect(line).toMatchObject({ export_id: id, tenant_id: tenant.id });
    }
    expect(await entry((each) => each.request_id === 'errs')).not.toHaveProperty('export_id');
  });

  it('tells the log of an error within, and the client only its request id', async () => {
    await app.database.pool.query('alter table webhooks rename to hidden_webhooks');
    const { call } = await app.newTenant();
    const reply = await call('/v1/webhooks', { headers: { 'x-request-id': 'broken' } });
    await app.database.pool.query('alter table hidden_webhooks rename to webhooks');
    expect(reply.status).toBe(500);
    const text = await reply.text();
    expect(JSON.parse(text)).toMatchObject({ request_id: 'broken', error: { type: 'server_error' } });
    expect(text).not.toMatch(/webhooks|prisma|relation|\bat /i);
    const logged = await entry((each) => each.request_id === 'broken' && each.msg === 'request failed');
    expect(JSON.stringify(logged.err)).toContain('webhooks');
  });

  it('answers 413 for a body of 20 MB, 415 for one that is no JSON, 400 for one that is broken', async () => {
    const post = async (body: string, type = 'application/json') =>
      (await app.admin('/v1/tenants', { method: 'POST', body, headers: { 'content-type': type } })).status;
    expect(await post(`{"name": "${'x'.repeat(20_000_000)}"}`)).toBe(413);
    expect(await post('name=x', 'application/x-www-form-urlencoded')).toBe(415);
    expect(await post('{"name": ')).toBe(400);
    expect(await post('')).toBe(400);
    expect(await post('[]')).toBe(422);
  });

  it('survives bytes that are not HTTP', async () => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    socket.write('\0\0\0\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
  });
});

describe('The API without its database', () => {
  it('answers 503 with Retry-After for what needs it, good key or not, and stays alive', async () => {
    const database = openDatabase('postgresql://postgres@127.0.0.1:1/nothing');
    const { log, entry } = heardLog();
    const app = await startApp({}, { database, log });
    for (const reply of [await app.admin('/v1/tenants'), await app.caller(makeApiKey('tenant'))('/v1/webhooks')]) {
      expect(reply.status).toBe(503);
      expect(reply.headers.get('retry-after')).toBe('5');
      expect((await bodyOf(reply)).error.type).toBe('unavailable');
    }
    await entry((each) => each.msg === 'request failed');
    expect((await fetch(`${app.url}/livez`)).status).toBe(200);
    expect((await bodyOf(fetch(`${app.url}/readyz`))).not_ready).toEqual(['database']);
    await app.close();
    await database.close();
  });
});

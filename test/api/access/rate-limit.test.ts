import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeApiKey } from '../../../core/access/api-keys.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

const limit = 20;

describe('The rate limit', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_RATE_LIMIT: String(limit) });
  });
  afterAll(() => app.close());

  const remaining = (reply: Response) => Number(reply.headers.get('x-ratelimit-remaining'));

  it('counts down on every reply, also on errors, and ends in a 429 that says when to come back', async () => {
    const { call } = await app.newTenant();
    const replies = [await call('/v1/webhooks'), await call('/v1/tenants'), await call('/v1/nothing')];
    expect(replies.map((reply) => reply.status)).toEqual([200, 403, 404]);
    expect(replies.map(remaining)).toEqual([limit - 1, limit - 2, limit - 3]);
    for (const reply of replies) expect(reply.headers.get('x-ratelimit-limit')).toBe(String(limit));
    for (let i = replies.length; i < limit; i++) expect((await call('/v1/webhooks')).status).toBe(200);
    const refused = await call('/v1/webhooks');
    expect(refused.status).toBe(429);
    expect(remaining(refused)).toBe(0);
    expect(Number(refused.headers.get('retry-after'))).toSatisfy((s: number) => s >= 1 && s <= 60);
    expect((await bodyOf(refused)).error.type).toBe('rate_limit_exceeded');
  });

  it('belongs to one key: another of the same tenant goes on', async () => {
    const { call, tenant } = await app.newTenant();
    const second = await bodyOf(call('/v1/api-keys', { json: { name: 'second', tenant_id: tenant.id } }));
    for (let i = 0; i < limit; i++) await call('/v1/webhooks');
    expect((await call('/v1/webhooks')).status).toBe(429);
    expect((await app.caller(second.key)('/v1/webhooks')).status).toBe(200);
  });

  it('holds for bad keys by address, and locks no good key out there', async () => {
    const { call } = await app.newTenant();
    const statuses: number[] = [];
    for (let i = 0; i < limit + 5; i++) statuses.push((await app.caller(makeApiKey('tenant'))('/v1/webhooks')).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(limit);
    expect(statuses.slice(limit)).toEqual([429, 429, 429, 429, 429]);
    // A header that the client makes up does not make it another address.
    const forged = await fetch(`${app.url}/v1/webhooks`, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(forged.status).toBe(429);
    expect((await call('/v1/webhooks')).status).toBe(200);
  });
});

describe('No rate limit', () => {
  it('leaves the headers out', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '0' });
    const reply = await app.admin('/v1/tenants');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('x-ratelimit-limit')).toBeNull();
    await app.close();
  });
});

describe('The rate limit behind a proxy', () => {
  const ask = async (app: App, forwarded?: string) => {
    const headers: Record<string, string> = forwarded ? { 'x-forwarded-for': forwarded } : {};
    return (await fetch(`${app.url}/v1/events`, { headers })).status;
  };

  it('counts for each client that a trusted proxy names, and not for those whom the client made up', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '2', LOGFERRY_TRUST_PROXY: '127.0.0.0/8, 10.0.0.0/8' });
    const first = [];
    // The proxy writes at the end what it sees; all before it came from the client, the second proxy's aside.
    for (const made of ['', '198.51.100.1, ', '198.51.100.2, '])
      first.push(await ask(app, `${made}203.0.113.1, 10.1.1.1`));
    expect(first).toEqual([401, 401, 429]);
    expect(await ask(app, '203.0.113.2')).toBe(401);
    await app.close();
  });

  it('believes as many proxies as are told', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '2', LOGFERRY_TRUST_PROXY: '1' });
    const statuses = [];
    for (const made of ['', '198.51.100.1, ', '198.51.100.2, ']) statuses.push(await ask(app, `${made}203.0.113.1`));
    expect(statuses).toEqual([401, 401, 429]);
    await app.close();
  });

  it('believes nobody unless told to', async () => {
    const app = await startApp({ LOGFERRY_RATE_LIMIT: '2' });
    const statuses = [await ask(app, '203.0.113.1'), await ask(app, '203.0.113.2'), await ask(app, '203.0.113.3')];
    expect(statuses).toEqual([401, 401, 429]);
    await app.close();
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../start-app.ts';

const page = 'https://app.example.com';

/** As a browser asks before it sends what a form could not. */
const preflight = (app: App, path: string, origin = page, headers = 'authorization,x-access-token,idempotency-key') =>
  fetch(app.url + path, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
  });
const listed = (reply: Response, name: string) => (reply.headers.get(name) ?? '').toLowerCase().split(/, */);

describe('Pages of other origins', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ LOGFERRY_RATE_LIMIT: '3' });
  });
  afterAll(() => app.close());

  it.each([
    '/v1/exports',
    '/v1/exports?status=queued',
    '/auth/vendor',
    '/audits',
    '/audits//stats',
    '//audits/resources/audits/v2',
    '/metadata?entityName=audits',
    '/frontegg/audits/stats',
    '/files/exports/x',
  ])('may call %s: the preflight is answered 204 without a key', async (path) => {
    const reply = await preflight(app, path);
    expect(reply.status).toBe(204);
    expect(reply.headers.get('access-control-allow-origin')).toBe('*');
    expect(reply.headers.get('access-control-allow-credentials')).toBeNull();
    expect(Number(reply.headers.get('access-control-max-age'))).toBeGreaterThan(0);
    expect(listed(reply, 'access-control-allow-methods')).toEqual(['get', 'head', 'post', 'patch', 'delete']);
    expect(reply.headers.get('x-ratelimit-limit')).toBeNull();
  });

  it.each([
    ['ours', ['authorization', 'content-type', 'idempotency-key', 'prefer', 'logferry-tenant', 'x-access-token']],
    ['those of the browser client of Frontegg', ['frontegg-source', 'x-frontegg-sdk', 'x-frontegg-framework']],
    ['its further ones', ['frontegg-scoped-tenant', 'frontegg-requested-application-id', 'frontegg-login-alias']],
    ['those of an environment token', ['frontegg-tenant-id', 'frontegg-user-id', 'frontegg-environment-id']],
  ])('may send headers: %s', async (_whose, names) => {
    const allowed = listed(await preflight(app, '/v1/events'), 'access-control-allow-headers');
    expect(allowed).toEqual(expect.arrayContaining(names));
  });

  it('may read replies and what stands in their headers, errors too, and use no limit up by asking', async () => {
    const { call } = await app.newTenant();
    for (let i = 0; i < 5; i++) await preflight(app, '/v1/events');
    const get = () => call('/v1/events', { headers: { origin: page } });
    const replies = [await get(), await get(), await get(), await get()];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    replies.push(await fetch(`${app.url}/v1/events`, { headers: { origin: page } }));
    for (const reply of replies) {
      expect(reply.headers.get('access-control-allow-origin')).toBe('*');
      expect(listed(reply, 'access-control-expose-headers')).toEqual(
        expect.arrayContaining([
          ...['x-request-id', 'location', 'retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining'],
          ...['content-disposition', 'idempotency-replayed', 'frontegg-trace-id'],
        ]),
      );
    }
  });

  it.each(['/metrics', '/livez', '/admin/queues', '/v10/events', '/auditsx'])('may not read %s', async (path) => {
    const reply = await fetch(app.url + path, { headers: { origin: page } });
    expect(reply.headers.get('access-control-allow-origin')).toBeNull();
    expect((await preflight(app, path)).headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('With a list of origins, pages', () => {
  const other = 'https://evil.example.com';
  let app: App;
  beforeAll(async () => {
    app = await startApp({ CORS_ORIGINS: `${page}, http://localhost:5173` });
  });
  afterAll(() => app.close());

  it('of one in the list are named in the reply', async () => {
    for (const origin of [page, 'http://localhost:5173']) {
      const asked = await preflight(app, '/v1/events', origin);
      const reply = await app.admin('/v1/tenants', { headers: { origin } });
      for (const each of [asked, reply]) {
        expect(each.headers.get('access-control-allow-origin')).toBe(origin);
        expect(each.headers.get('vary')).toMatch(/^Origin\b/);
      }
    }
  });

  it.each([other, `${page}.evil.example.com`, 'http://app.example.com', 'null'])(
    'of %s get no header',
    async (origin) => {
      const asked = await preflight(app, '/v1/events', origin);
      expect(asked.status).toBe(204);
      const reply = await app.admin('/v1/tenants', { headers: { origin } });
      expect(reply.status).toBe(200);
      for (const each of [asked, reply]) {
        expect([...each.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
        expect(each.headers.get('vary')).toMatch(/^Origin\b/);
      }
    },
  );

  it('without an origin get what caches may not give to others', async () => {
    expect((await app.admin('/v1/tenants')).headers.get('vary')).toMatch(/^Origin\b/);
  });

  it('are not what an OPTIONS request without an origin is about', async () => {
    expect((await fetch(`${app.url}/v1/events`, { method: 'OPTIONS' })).status).toBe(401);
  });
});

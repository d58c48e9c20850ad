import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { type Scope, scopes } from '../../core/access/api-keys.ts';
import { newId } from '../../core/ids.ts';
import { makeLog } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';
import { openQueue } from '../../prisma/open-queue.ts';
import { forgersSet } from '../core/access/forged-tokens.ts';
import { serveJwks } from '../core/access/serve-jwks.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { badCredentials, credentialsOfATenant, keyIdOf, tokenSettings } from './credentials.ts';
import { registeredRoutes, routeAt } from './registered-routes.ts';
import { isForTenants, isOfOne, pathTo, type RouteRow, routes, tenantHeaderOf, thingsIn } from './route-table.ts';
import { makeThings, type Things } from './route-things.ts';
import { type App, bodyOf, startApp } from './start-app.ts';

let testDatabase: TestDatabase;
let queue: Queue;
let app: App;
let forger: Awaited<ReturnType<typeof serveJwks>>;
/** What must not open anything, by what is wrong with it. */
let refused: Record<string, string>;
/** Another tenant, and all ways in which it may call. */
let strangers: Record<string, string>;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  queue = openQueue(testDatabase.url, makeLog('silent'));
  forger = await serveJwks(forgersSet);
  const settings = { DATABASE_URL: testDatabase.url, LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8', ...tokenSettings };
  app = await startApp(settings, { queue });
  refused = await badCredentials(app, forger.url);
  strangers = await credentialsOfATenant(app);
});
afterAll(async () => {
  await app.close();
  await forger.stop();
  await queue.close();
  await testDatabase.drop();
});

describe('The table of routes', () => {
  it('has a row for every route of the app, and none for what is not there', () => {
    const express = buildApp(app.deps);
    const taken = routes.map((row) => ({ row, route: routeAt(express, row.method, pathTo(row, newId)) }));
    expect(taken.filter(({ route }) => !route).map(({ row }) => `${row.method} ${row.path}`)).toEqual([]);
    const unlisted = registeredRoutes(express).filter(
      ({ method, layer }) => !taken.some(({ route }) => route!.layer === layer && route!.method === method),
    );
    expect(unlisted.map(({ method, name }) => `${method} ${name}`)).toEqual([]);
    expect(registeredRoutes(express).length).toBeGreaterThan(35);
  });

  it('has no two rows for one route', () => {
    const express = buildApp(app.deps);
    const taken = routes.map((row) => ({ row, route: routeAt(express, row.method, pathTo(row, newId))! }));
    const twice = taken.filter(({ route }, index) =>
      taken.some(
        (each, other) => other < index && each.route.layer === route.layer && each.route.method === route.method,
      ),
    );
    expect(twice.map(({ row }) => `${row.method} ${row.path}`)).toEqual([]);
  });
});

const isClosed = (row: RouteRow): boolean => row.who === 'management' || isForTenants(row);
const leastScope = ({ who }: RouteRow): Scope =>
  who === 'key manager' ? 'keys:manage' : who === 'any key' ? 'verify' : (who as Scope);

describe.each(routes.map((row) => [`${row.method} ${row.path}`, row] as const))('%s', (_name, row) => {
  const tenantHeader = tenantHeaderOf(row);
  let owner: Awaited<ReturnType<typeof makeThings>>;
  beforeAll(async () => {
    owner = await makeThings(app);
  });

  const call = (
    headers: Record<string, string>,
    idOf = (thing: keyof Things) => owner.things[thing],
  ): Promise<Response> =>
    fetch(app.url + pathTo(row, idOf), {
      method: row.method,
      redirect: 'manual',
      headers: { ...(row.body && { 'content-type': 'application/json' }), ...headers },
      body: row.body && JSON.stringify(row.body),
    });
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const newKey = async (granted: readonly Scope[]): Promise<string> => {
    const json = { name: 'made', tenant_id: owner.tenant.id, scopes: granted };
    return (await bodyOf(app.admin('/v1/api-keys', { json }))).key;
  };
  const setPlan = (plan: string) => app.admin(`/v1/tenants/${owner.tenant.id}`, { method: 'PATCH', json: { plan } });

  /** Holds that it is this error, in the words of the family, and gives the body without what differs each time. */
  async function expectError(replying: Promise<Response>, status: number, type: string, why = ''): Promise<object> {
    const reply = await replying;
    expect([reply.status, why]).toEqual([status, why]);
    const { request_id, ...body } = await bodyOf(reply);
    if (row.family === 'frontegg') expect(body).toEqual({ errors: [expect.any(String)] });
    else expect(body).toMatchObject({ status, error: { type, message: expect.any(String) } });
    return body;
  }

  if (row.who === 'public') {
    it('answers everybody, also one with a bad key', async () => {
      expect((await call({})).status).toBe(row.status);
      expect((await call(bearer(refused['a revoked key']!))).status).toBe(row.status);
    });
  }

  if (row.who === 'signed link') {
    it('opens to no key without a signature', async () => {
      for (const key of [owner.key, app.adminKey]) await expectError(call(bearer(key)), 403, 'scope_error');
      await expectError(call({}), 403, 'scope_error');
    });
  }

  if (row.who === 'credentials') {
    it('answers 401 for credentials that do not hold, and 200 for those that do', async () => {
      const give = (body: object) => app.caller('')(row.path, { json: body });
      // Longer texts are a 413 before anybody looks at them.
      for (const [why, secret] of Object.entries(refused).filter(([, text]) => text.length < 10_000)) {
        await expectError(give({ clientId: owner.things.apiKey, secret }), 401, 'authentication_error', why);
      }
      await expectError(give({ clientId: owner.things.apiKey, secret: owner.key }), 401, 'authentication_error');
      const clientId = await keyIdOf(app, (await app.newTenant()).tenant);
      await expectError(give({ clientId, secret: owner.key }), 401, 'authentication_error');
      expect((await give({ clientId: 'any', secret: app.adminKey })).status).toBe(row.status);
    });
  }

  if (isClosed(row)) {
    it('answers for its caller alone: no cache may keep it, and none guesses its type', async () => {
      for (const headers of [bearer(app.adminKey), {}]) {
        const reply = await call(headers);
        expect(reply.headers.get('cache-control')).toMatch(/no-store/);
        expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
        expect(reply.headers.get('vary')).toMatch(/Authorization, x-access-token/);
        await reply.body?.cancel();
      }
    });

    it('answers 401 without credentials', async () => {
      await expectError(call({}), 401, 'authentication_error');
      expect((await call({})).headers.get('www-authenticate')).toMatch(/^(Bearer|Basic)/);
    });

    it('answers 401 for whatever was revoked, has expired or was forged, in either header', async () => {
      expect(Object.keys(refused).length).toBeGreaterThan(40);
      for (const [why, text] of Object.entries(refused)) {
        const headers = { [tenantHeader]: owner.tenant.id };
        await expectError(call({ ...headers, ...bearer(text) }), 401, 'authentication_error', why);
        await expectError(call({ ...headers, 'x-access-token': text }), 401, 'authentication_error', why);
      }
    });
  }

  if (row.who === 'management') {
    it("answers 403 for a tenant's key with all scopes, its tokens and its users, and is there for the management", async () => {
      // The calls above have deleted the tenant, and soon its key is nobody's any more.
      if (row.method === 'DELETE') owner = await makeThings(app);
      for (const [way, text] of Object.entries(strangers))
        await expectError(call(bearer(text)), 403, 'scope_error', way);
      await expectError(call(bearer(owner.key)), 403, 'scope_error');
      expect((await call(bearer(app.adminKey))).status).toBe(row.status);
    });
  }

  if (isForTenants(row) && row.who !== 'any key') {
    it('answers 403 for a key that has every scope but the one that is needed', async () => {
      const others = scopes.filter((scope) => scope !== leastScope(row));
      await expectError(call(bearer(await newKey(others))), 403, 'scope_error');
    });
  }

  if (isOfOne(row)) {
    it("answers 404 for another tenant that names this one, and that asks for this one's things as for what is not there", async () => {
      for (const [way, text] of Object.entries(strangers)) {
        const naming = { ...bearer(text), [tenantHeader]: owner.tenant.id };
        const other = await expectError(call(naming), 404, 'not_found', way);
        const unknown = { ...bearer(text), [tenantHeader]: newId() };
        expect(await expectError(call(unknown), 404, 'not_found', way)).toEqual(other);
        if (thingsIn(row).length === 0) continue;
        const missing = await expectError(call(bearer(text), newId), 404, 'not_found', way);
        expect(await expectError(call(bearer(text)), 404, 'not_found', way)).toEqual(missing);
      }
    });
  }

  // In Frontegg, whoever is not known has nothing to be read, and all may be read at once.
  if (isOfOne(row) && row.family !== 'frontegg') {
    it('answers 404 for the management that names nobody whom there is, and does not guess whom it means', async () => {
      const unknown = { ...bearer(app.adminKey), [tenantHeader]: newId() };
      await expectError(call(unknown), 404, 'not_found');
      if ((scopes as readonly string[]).includes(row.who))
        await expectError(call(bearer(app.adminKey)), 400, 'bad_request');
    });
  }

  if (isForTenants(row)) {
    // The last, as it uses up what it names: after all that others tried, all is still as it was.
    it(`answers ${row.status} for a key that has what is needed and no more`, async () => {
      const key = await newKey([leastScope(row)]);
      await setPlan('free');
      if (row.plan) {
        await expectError(call(bearer(key)), 403, 'plan_feature_unavailable');
        await setPlan(row.plan);
      }
      const reply = await call({ ...bearer(key), [tenantHeader]: owner.tenant.id });
      expect([reply.status, await (reply.status >= 400 ? reply.text() : '')]).toEqual([row.status, '']);
    });
  }
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDocument } from '../../../api/openapi/document.ts';
import { groupsOf } from '../../../api/routes.ts';
import { makeApiKey } from '../../../core/access/api-keys.ts';
import { openDatabase } from '../../../prisma/client.ts';
import { startApp } from '../start-app.ts';
import { type Documented, documentedApi, type Json } from './documented-api.ts';
import { successfulCalls } from './successful-calls.ts';
import { sender, startWorld, type World } from './world.ts';

/** The document has the same operations wherever it is built. */
const { operations } = documentedApi(
  JSON.parse(
    JSON.stringify(
      buildDocument(
        { LOGFERRY_REGION: 'eu', LOGFERRY_REGIONS: {}, publicUrl: 'http://127.0.0.1' },
        groupsOf({ storageUrl: 'file:///files' }),
      ),
    ),
  ),
);

const idOf = ({ operation }: Documented): string => operation.operationId;
const all = operations.map((each) => [idOf(each), each] as const);
const answering = (status: number) => all.filter(([, { operation }]) => operation.responses[status]);
const needed = ({ operation }: Documented): string[] => operation.security[0]?.bearer ?? [];
const bodyTypes = ({ operation }: Documented): string[] => Object.keys(operation.requestBody?.content ?? {});
const takesBody = (each: Documented): boolean => bodyTypes(each).length > 0;
const actsForTenant = ({ operation }: Documented): Json =>
  operation.parameters?.find((each: Json) => each.in === 'header' && /tenant/i.test(each.name));

describe('Every reply is one that the document has:', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const pathOf = ({ path }: Documented, id: string = randomUUID()): string => path.replace(/\{\w+\}/, id);
  /** A key that may do it. */
  const keyFor = (each: Documented): string =>
    needed(each).includes('management') ? world.keys.admin : world.keys.own;
  const call = async (each: Documented, sent: Json = {}, path = pathOf(each)) =>
    (await world.send(each.method, path, { key: keyFor(each), ...sent })).status;
  const body = (each: Documented) => (takesBody(each) ? { json: { name: 'x' } } : {});

  it('there is a successful call of each operation, and of nothing else', () => {
    expect(Object.keys(successfulCalls).sort()).toEqual(operations.map(idOf).sort());
  });

  it.each(all)('%s succeeds', async (id) => {
    await successfulCalls[id]!(world);
    expect([...world.api.seen].filter((each) => each.startsWith(`${id} 2`) || each === `${id} 302`)).not.toEqual([]);
  });

  it.each(answering(401))('%s without a key is a 401', async (id, each) => {
    const json = { clientId: 'x', secret: 'x' };
    expect(await call(each, { key: null, ...(id === 'getToken' ? { json } : body(each)) })).toBe(401);
    if (id !== 'getToken') expect(await call(each, { key: 'lf_sk_wrong', ...body(each) })).toBe(401);
  });

  it.each(answering(403).filter(([id]) => id !== 'getFile'))('%s with too small a key is a 403', async (_id, each) => {
    const [scope] = needed(each);
    const key = await world.keys.with(scope === 'verify' ? 'export' : 'verify');
    expect(await call(each, { key, ...body(each) })).toBe(403);
  });

  it.each(all.filter(([, { operation }]) => /plan_feature/.test(JSON.stringify(operation.responses[403] ?? ''))))(
    '%s of a free tenant is a 403',
    async (_id, each) => {
      expect(await call(each, { key: world.keys.free, ...body(each) })).toBe(403);
    },
  );

  it.each(answering(404).filter(([, { path }]) => path.includes('{id}')))(
    '%s of nothing is a 404',
    async (_id, each) => {
      expect(await call(each, body(each))).toBe(404);
      expect(await call(each, body(each), pathOf(each, 'no-id'))).toBe(404);
    },
  );

  it.each(all.filter(([, each]) => actsForTenant(each)))('%s for another tenant is a 404', async (_id, each) => {
    const headers = { [actsForTenant(each).name]: randomUUID() };
    expect(await call(each, { headers, ...body(each) })).toBe(404);
  });

  describe('for a tenant that is being deleted', () => {
    let app: Awaited<ReturnType<typeof startApp>>;
    let leaving: string;
    beforeAll(async () => {
      app = await startApp();
      leaving = (await app.newTenant()).tenant.id;
      await app.admin(`/v1/tenants/${leaving}`, { method: 'DELETE' });
    });
    afterAll(() => app.close());

    const bodies: Json = {
      writeAudit: { action: 'user.login', severity: 'Info' },
      createApiKey: { name: 'x' },
    };
    const columns = { properties: [{ displayName: 'Time', name: 'createdAt' }] };

    it.each(all.filter(([, each]) => actsForTenant(each)))('%s is a 409', async (id, each) => {
      const headers = { [actsForTenant(each).name]: leaving };
      const json = bodies[id] ?? (/csv/.test(each.path) ? columns : { name: 'x' });
      const { send } = { send: sender(app.url, world.api, app.adminKey) };
      const { status } = await send(each.method, pathOf(each), { headers, ...(takesBody(each) && { json }) });
      expect(status).toBe(409);
    });
  });

  it.each(answering(421))('%s for a tenant of another region is a 421', async (id, each) => {
    const { abroad: secret, abroadId: clientId } = world.keys;
    const sent = id === 'getToken' ? { key: null, json: { clientId, secret } } : { key: secret, ...body(each) };
    expect(await call(each, sent)).toBe(421);
  });

  it.each(answering(400).filter(([, { path }]) => /\{(id|file)\}/.test(path)))(
    '%s with a path that cannot be read is a 400',
    async (_id, each) => {
      expect(await call(each, body(each), pathOf(each, '%zz'))).toBe(400);
    },
  );

  const ofTenants = all.filter(([, each]) => actsForTenant(each)?.name === 'Logferry-Tenant');
  it.each(ofTenants.filter(([, each]) => needed(each)[0] !== 'keys:manage'))(
    '%s by a management key for nobody is a 400, if it is about one tenant',
    async (_id, each) => {
      const isAboutOne = needed(each).length > 0;
      expect(await call(each, { key: world.keys.admin, ...body(each) })).toBe(isAboutOne ? 400 : 200);
    },
  );

  it.each([
    ['listAuditsV1', '?count=x'],
    ['listAudits', '?sortBy=-'],
    ['getAuditStats', ''],
    ['getAuditFigures', '?from=x'],
  ])('%s with what will not do is a 400', async (id, query) => {
    const each = world.api.operation(id);
    expect(await call(each, { key: world.keys.admin }, pathOf(each) + query)).toBe(400);
  });

  it.each(answering(422).filter(([, each]) => !takesBody(each)))(
    '%s with an unknown parameter is a 422',
    async (_id, each) => {
      expect(await call(each, {}, `${pathOf(each)}?nonsense=1`)).toBe(422);
    },
  );

  describe('with a bad body', () => {
    const json = { 'content-type': 'application/json' };
    const withBody = all.filter(([, each]) => takesBody(each));
    const path = (each: Documented) =>
      /webhooks/.test(each.path) && each.path.includes('{')
        ? world.newWebhook().then((id) => pathOf(each, id))
        : pathOf(each, world.tenant.id);

    it.each(withBody)('%s is a 400 for what is no JSON', async (_id, each) => {
      expect(await call(each, { body: '{"a', headers: json }, await path(each))).toBe(400);
    });
    it.each(withBody)('%s is a 415 for another type', async (_id, each) => {
      expect(await call(each, { body: 'a', headers: { 'content-type': 'text/plain' } }, await path(each))).toBe(415);
    });
    it.each(withBody)('%s is a 413 for a body that is too large', async (_id, each) => {
      expect(await call(each, { body: `"${'x'.repeat(17_000_000)}"`, headers: json }, await path(each))).toBe(413);
    });
    it.each(withBody)(
      '%s is a 422, or a 400 in the words of Frontegg, for what the schema does not take',
      async (id, each) => {
        const taken = ['createAudit'].includes(id) ? { severity: 'none' } : { properties: 7, events: 7, url: 7 };
        expect(await call(each, { json: taken }, await path(each))).toBe(each.operation.responses[422] ? 422 : 400);
      },
    );
  });

  it.each<[string, (id: string) => string]>([
    ['canceled', (id) => `/v1/exports/${id}/cancel`],
    ['downloaded', (id) => `/v1/exports/${id}/download`],
  ])('an export that has ended without a file cannot be %s: 409', async (_what, path) => {
    const id = await world.newExport();
    await world.send('delete', `/v1/exports/${id}`);
    await expect
      .poll(async () => (await world.send('get', `/v1/exports/${id}`)).body)
      .toMatchObject({
        status: expect.stringMatching(/canceled|expired/),
      });
    const { status } = await world.send(path(id).endsWith('cancel') ? 'post' : 'get', path(id));
    expect([409, 410]).toContain(status);
  });

  it('downloadExport and getReceipt are a 409 as long as there is no file, and the first a 410 when there is none any more', async () => {
    // What only a failing storage would bring about is written into its row.
    const { id } = await world.endedExport();
    const set = (status: string) =>
      world.app.database.pool.query('update exports set status = $2::export_status where id = $1', [id, status]);
    await set('failed');
    expect((await world.send('get', `/v1/exports/${id}/download`)).status).toBe(409);
    expect((await world.send('get', `/v1/exports/${id}/receipt`)).status).toBe(409);
    await set('expired');
    expect((await world.send('get', `/v1/exports/${id}/download`)).status).toBe(410);
  });

  it('createExport is a 422 when its Idempotency-Key was used for something else', async () => {
    const headers = { 'idempotency-key': 'another' };
    await world.send('post', '/v1/exports', { json: { format: 'csv' }, headers });
    const { status, body: problem } = await world.send('post', '/v1/exports', { json: { format: 'json' }, headers });
    expect([status, problem]).toMatchObject([422, { error: { type: 'idempotency_mismatch' } }]);
  });

  it('what a webhook that is disabled does not do is a 409', async () => {
    const id = await world.newWebhook();
    const { body: delivery } = await world.send('post', `/v1/webhooks/${id}/ping`);
    await world.send('patch', `/v1/webhooks/${id}`, { json: { status: 'disabled' } });
    expect((await world.send('post', `/v1/webhooks/${id}/ping`)).status).toBe(409);
    const again = `/v1/deliveries/${(delivery as { id: string }).id}/redeliver`;
    expect((await world.send('post', again)).status).toBe(409);
  });

  it('the deletion of a tenant on hold is a 409', async () => {
    const { tenant } = await world.app.newTenant();
    const path = `/v1/tenants/${tenant.id}`;
    const key = world.keys.admin;
    expect((await world.send('patch', path, { key, json: { legal_hold: true } })).status).toBe(200);
    expect((await world.send('delete', path, { key })).status).toBe(409);
  });

  it('an external_id that is taken is a 409', async () => {
    const key = world.keys.admin;
    const json = { name: 'Again', external_id: 'acme' };
    expect((await world.send('post', '/v1/tenants', { key, json })).status).toBe(409);
    expect((await world.send('patch', `/v1/tenants/${world.keys.freeId}`, { key, json })).status).toBe(409);
  });

  it('what there is not of the page and of metadata is a 404, and /docs/ leads to /docs', async () => {
    expect((await world.send('get', '/docs/nothing')).status).toBe(404);
    expect((await world.send('post', '/metadata?entityName=nothing')).status).toBe(404);
    expect((await world.send('get', '/docs/')).status).toBe(308);
  });

  it.each(['listEvents', 'streamEvents', 'listManagementEvents', 'verifyLog'])(
    '%s of what is behind the end of the log is a 409',
    async (id) => {
      const [, each] = all.find(([name]) => name === id)!;
      expect(await call(each, {}, `${each.path}?after_sequence=1000000`)).toBe(409);
    },
  );

  it.each(['createExport', 'estimateExport'])('%s of what is behind the end of the log is a 409', async (id) => {
    const [, each] = all.find(([name]) => name === id)!;
    expect(await call(each, { json: { format: 'csv', filter: { after_sequence: 1000000 } } })).toBe(409);
  });

  describe('of a Logferry', () => {
    const rateLimited = answering(429);

    it.each(rateLimited)('that was asked too often, %s is a 429', async (id, each) => {
      const json = { clientId: 'x', secret: busy.adminKey };
      const sent = { key: busy.adminKey, ...(id === 'getToken' ? { json } : body(each)) };
      expect((await busy.send(each.method, pathOf(each), sent)).status).toBe(429);
    });

    it.each(answering(503))('without its database, %s is a 503, or needs none', async (id, each) => {
      const json = { clientId: 'x', secret: makeApiKey('management') };
      const headers = actsForTenant(each) ? { [actsForTenant(each).name]: randomUUID() } : {};
      const sent = { key: json.secret, headers, ...(id === 'getToken' ? { json } : body(each)) };
      const { status } = await orphan.send(each.method, pathOf(each), sent);
      expect(status).toBe(503);
    });

    it('whose plan is used up, createExport is a 429', async () => {
      const { tenant } = world;
      const headers = { 'logferry-tenant': tenant.id };
      const { status, body: problem } = await poor.send('post', '/v1/exports', {
        key: poor.adminKey,
        headers,
        json: { format: 'csv' },
      });
      expect([status, problem]).toMatchObject([429, { error: { type: 'plan_limit_exceeded' } }]);
    });

    type Other = { send: World['send']; adminKey: string; close(): Promise<void> };
    let busy: Other;
    let orphan: Other;
    let poor: Other;
    const start = async (environment: Record<string, string>, overrides: Parameters<typeof startApp>[1] = {}) => {
      const app = await startApp(environment, overrides);
      return { send: sender(app.url, world.api, ''), adminKey: app.adminKey, close: () => app.close() };
    };
    beforeAll(async () => {
      busy = await start({ LOGFERRY_RATE_LIMIT: '1' });
      await busy.send('get', '/v1/limits', { key: busy.adminKey });
      const database = openDatabase('postgresql://postgres@127.0.0.1:1/nothing');
      const without = await start({ DATABASE_URL: 'postgresql://127.0.0.1:1/nothing' }, { database });
      orphan = { ...without, close: () => without.close().then(() => database.close()) };
      const limits = '{"pro": {"unfinished_exports": 0}}';
      poor = await start({ DATABASE_URL: world.app.databaseUrl, LOGFERRY_PLAN_LIMITS: limits });
    });
    afterAll(async () => {
      for (const each of [busy, orphan, poor]) await each?.close();
    });
  });

  it('and all that the document has was seen, but for our own mistakes', () => {
    const documented = all.flatMap(([id, { operation }]) =>
      Object.keys(operation.responses).map((status) => `${id} ${status}`),
    );
    const unseen = documented.filter((each) => !each.endsWith(' 500') && !world.api.seen.has(each));
    expect(unseen).toEqual([]);
  });
});

import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyOf } from '../start-app.ts';
import { type FronteggApp, startFronteggApp } from './frontegg-app.ts';

let app: FronteggApp;
beforeAll(async () => {
  app = await startFronteggApp();
});
afterAll(() => app.close());

const list = '/audits/resources/audits/v2';
const audit = (more: object = {}) => ({ severity: 'Info', action: 'signed in', ...more });
let tenants = 0;

/** A tenant of its own, with these audits, written one after the other. */
async function withAudits(...audits: object[]) {
  const tenantId = `tenant-${++tenants}`;
  const call = app.asEnvironment(tenantId);
  for (const each of audits) expect((await call('/audits', { json: audit(each) })).status).toBe(202);
  const read = async (query = '', path = list) => bodyOf(call(`${path}?${query}`));
  const found = async (query: string, member = 'n') =>
    (await read(query)).data.map((each: Record<string, unknown>) => each[member]);
  return { tenantId, call, read, found };
}

describe('POST /audits', () => {
  it('answers 202 with the audit as it will be read, custom members beside the others', async () => {
    const { call, read, tenantId } = await withAudits();
    const sent = {
      tenantId,
      time: '22.11.2026, 10:00',
      user: 'Ada',
      actorId: 'u-1',
      resource: 'Documents',
      action: 'opened',
      severity: 'High',
      ip: '198.51.100.7',
      userAgent: 'agent/1.0',
      description: 'opened "a", then b',
      email: 'ada@example.com',
      json: { role: { name: 'admin' }, list: [1, null] },
      custom: { deep: [true] },
      attempts: 3,
      environmentName: 'Production',
    };
    const reply = await call('/audits', { json: sent });
    expect(reply.status).toBe(202);
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/);
    const echo = await bodyOf(reply);
    expect(echo).toEqual({
      ...sent,
      frontegg_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      vendorId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: expect.stringMatching(/\.\d{3}Z$/),
    });
    expect((await read()).data).toEqual([echo]);
  });

  it('makes a tenant that is not known yet, once for many at a time', async () => {
    const call = app.asEnvironment('written-by-many');
    const replies = await Promise.all(Array.from({ length: 8 }, () => call('/audits', { json: audit() })));
    expect(replies.map((reply) => reply.status)).toEqual(Array(8).fill(202));
    expect((await bodyOf(call(list))).total).toBe(8);
    const { data } = await bodyOf(app.admin('/v1/tenants?limit=100'));
    expect(data.filter((each: { external_id: string }) => each.external_id === 'written-by-many')).toEqual([
      expect.objectContaining({ name: 'written-by-many', plan: 'pro', region: 'eu' }),
    ]);
  });

  it('takes what older and careless clients send: other severities and cases, numbers, no action, members of the server', async () => {
    const { call } = await withAudits();
    const sent = { severity: 'Attention', user: 7, frontegg_id: 'x', vendorId: 'y', createdAt: 'z', updatedAt: 0 };
    const echo = await bodyOf(call('/audits', { json: sent }));
    expect(echo).toMatchObject({ severity: 'Medium', action: 'unspecified', user: '7', email: null });
    expect(echo.frontegg_id).not.toBe('x');
    expect(echo.createdAt).toMatch(/Z$/);
    expect((await bodyOf(call('/audits', { json: { severity: 'cRITICAL' } }))).severity).toBe('Critical');
    // __proto__ is a key like any other.
    const custom = { ...JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'), ...audit() };
    const stored = JSON.stringify(await bodyOf(call('/audits', { json: custom })));
    expect(stored).toContain('"__proto__":{"a":1}');
    expect(stored).toContain('"constructor":2');
  });

  it.each([
    ['an unknown severity', { severity: 'Higth' }, 'severity: unknown severity "Higth", did you mean "High"?'],
    ['an object where a text belongs', { user: { id: 1 } }, 'user: must be text'],
    ['a list', [], 'must be a JSON object: the audit'],
  ])('answers 400 with a list of texts for %s', async (_what, json, text) => {
    const { call } = await withAudits();
    const reply = await call('/audits', { json });
    expect(reply.status).toBe(400);
    expect((await bodyOf(reply)).errors[0]).toContain(text);
    expect(reply.headers.get('frontegg-trace-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('answers 400 without a tenant, and 404 for an audit of another', async () => {
    const missing = await app.asEnvironment()('/audits', { json: audit() });
    expect(missing.status).toBe(400);
    expect((await bodyOf(missing)).errors[0]).toContain('frontegg-tenant-id');
    const { call } = await withAudits();
    const other = await call('/audits', { json: audit({ tenantId: 'somebody-else' }) });
    expect(other.status).toBe(404);
  });
});

describe('A list of audits', () => {
  it('is found under every path that clients use', async () => {
    const { call } = await withAudits({ n: 1 });
    const paths = [
      list,
      `/frontegg${list}`,
      `/${list}`,
      `${list}/`,
      '/audits',
      '/audits/',
      '//audits//',
      '/frontegg/audits',
    ];
    for (const path of paths) {
      expect(await bodyOf(call(`${path}?count=10`)), path).toMatchObject({ total: 1, data: [{ n: 1 }] });
    }
  });

  it("is given to the environment's token and to users', in both headers", async () => {
    const { tenantId } = await withAudits({ n: 1 });
    const user = await app.userToken(tenantId);
    for (const headers of [
      { 'x-access-token': user },
      { authorization: `Bearer ${user}` },
      { authorization: `Bearer ${app.environmentToken}`, 'frontegg-tenant-id': tenantId },
    ]) {
      expect(await bodyOf(app.call(list, { headers }))).toMatchObject({ total: 1 });
    }
  });

  it('is newest first, with the total of all that match, page by page until it is empty', async () => {
    const { read } = await withAudits(...Array.from({ length: 5 }, (_, n) => ({ n })));
    const pages = [];
    for (let offset = 0; ; offset += 2) {
      const { data, total } = await read(`count=2&offset=${offset}&created_from=2020-01-01T00:00:00.000`);
      expect(total).toBe(5);
      if (data.length === 0) break;
      pages.push(data.map(({ n }: { n: number }) => n));
    }
    expect(pages).toEqual([[4, 3], [2, 1], [0]]);
  });

  it('sorts by any field, custom ones too, in any case of the direction, and severities by rank', async () => {
    const { found } = await withAudits(
      { n: 1, severity: 'High', score: 10 },
      { n: 2, severity: 'Info', score: 9 },
      { n: 3, severity: 'Error', score: 11 },
      { n: 4, severity: 'Critical' },
    );
    expect(await found('sortBy=severity&sortDirection=ASC')).toEqual([2, 1, 4, 3]);
    expect(await found('sortBy=severity&sortDirection=desc')).toEqual([3, 4, 1, 2]);
    expect(await found('sortBy=score&sortDirection=Asc')).toEqual([2, 1, 3, 4]);
    expect(await found('sortBy=score&sortDirection=DESC')).toEqual([4, 3, 1, 2]);
    expect(await found('sortBy=createdAt&sortDirection=asc')).toEqual([1, 2, 3, 4]);
    expect(await found('sortBy=tenantId&sortDirection=undefined')).toEqual([4, 3, 2, 1]);
  });

  it('takes any field as a filter, and leaves out what a client has not set', async () => {
    const { found } = await withAudits(
      {
        n: 1,
        severity: 'High',
        email: 'a@example.com',
        ip: '198.51.100.1',
        user: 'Ada',
        resource: 'Files',
        cost: 5,
        flag: true,
      },
      {
        n: 2,
        severity: 'Info',
        email: 'b@example.com',
        userAgent: 'x, y',
        actorId: 'u-2',
        cost: '5',
        json: { a: 1, b: [2] },
      },
      { n: 3, action: 'signed out', cost: 6, flag: 'true', 'a.b': 'dotted' },
    );
    const unset = 'filter=&users=undefined&featureFlagId=null&vendorId=any&tenantId=&paginationMode=virtual';
    const both: [string, number[]][] = [
      [unset, [3, 2, 1]],
      ['severity=high', [1]],
      ['severity=High&severity=Info&action=signed in', [2, 1]],
      ['severity=High,Medium', [1]],
      ['email=a@example.com', [1]],
      ['email[]=a@example.com&email[]=b@example.com', [2, 1]],
      ['email=a@example.com,b@example.com', [2, 1]],
      ['email=["a@example.com","c@example.com"]', [1]],
      ['ip=198.51.100.1&user=Ada&resource=Files', [1]],
      ['userAgent=x, y', [2]],
      ['users=Ada&users=u-2', [2, 1]],
      ['users[]=u-2', [2]],
      ['cost=5', [2, 1]],
      ['flag=true', [3, 1]],
      ['a.b=dotted', [3]],
      ['json={"b":[2],"a":1}', [2]],
      ['noSuchField=1', []],
      ['filter=signed OUT', [3]],
      ['frontegg_id=nonsense', []],
      ['severity=Attention', []],
      ['json.a=1', [2]],
      ['json.a={"$gte":1}', [2]],
      ['filter={"severity":"High","user":"Ada"}', [1]],
      ['filter={"cost":{"$gt":5},"flag":null}', [3]],
      ['filter={"email":["a@example.com","b@example.com"]}', [2, 1]],
      ['filter=[]&createdAt={}', [3, 2, 1]],
      ['createdAt={"$gt":"","$lt":""}', [3, 2, 1]],
      ['users[]=Ada,u-2', []],
      ['users=Ada,u-2', [2, 1]],
    ];
    for (const [query, expected] of both) expect(await found(encodeURI(query)), query).toEqual(expected);
  });

  it('takes operators, as JSON text and in brackets, and several for one field', async () => {
    const { found, read } = await withAudits(
      { n: 1, score: 1, mood: 'b' },
      { n: 2, score: 2 },
      { n: 3, score: 10, severity: 'Critical' },
    );
    const [, , first] = (await read()).data;
    const next = new Date(Date.parse(first.createdAt) + 1).toISOString();
    const queries: [string, number[]][] = [
      ['score={"$gt":1,"$lt":10}', [2]],
      ['score[$gte]=2', [3, 2]],
      ['score={"$in":[1,10]}', [3, 1]],
      ['score[$in][]=1&score[$in][]=2', [2, 1]],
      ['mood={"$exists":false}', [3, 2]],
      ['mood={"$ne":"b"}', [3, 2]],
      ['severity={"$gte":"High"}', [3]],
      ['email={"$exists":true}', []],
      [
        `createdAt={"$gt":"${first.createdAt}","$lt":"2999-01-01T00:00:00.000Z"}`,
        (await read()).data
          .filter((each: { createdAt: string }) => each.createdAt > first.createdAt)
          .map((each: { n: number }) => each.n),
      ],
      [`createdAt={"$gte":"${first.createdAt}"}`, [3, 2, 1]],
      [`createdAt[$lt]=${first.createdAt}`, []],
      [`created_to=${first.createdAt}&created_from=${first.createdAt}&n=1`, [1]],
      [`created_from=${next}&n=1`, []],
      [`createdAt=${first.createdAt}&n=1`, [1]],
      [`updatedAt={"$gte":"${first.createdAt}"}&n=1`, [1]],
    ];
    for (const [query, expected] of queries) expect(await found(encodeURI(query)), query).toEqual(expected);
  });

  it('says in texts what is wrong with each parameter', async () => {
    const { call } = await withAudits({ n: 1 });
    const query =
      'count=201&offset=-1&created_from=yesterday&sortBy=a-b&severity=Higth&n={"$gtt":1}&updatedAt=x&createdAt={"$ne":"2026-01-01"}';
    const reply = await call(`${list}?${encodeURI(query)}`);
    expect(reply.status).toBe(400);
    expect((await bodyOf(reply)).errors).toEqual([
      'created_from: must be an ISO 8601 time such as 2026-11-22T10:00:00.000Z',
      'createdAt: takes $gte, $gt, $lte, $lt, $eq, not $ne',
      expect.stringMatching(/^sortBy: /),
      'offset: must be a whole number from 0 to 9007199254740991',
      'count: must be a whole number from 1 to 200',
      expect.stringContaining('severity: unknown severity "Higth"'),
      expect.stringContaining('n: unknown operator "$gtt"'),
      expect.stringMatching(/^updatedAt: /),
    ]);
  });

  it.each([
    'users={"$in":["u"]}',
    'users[$ne]=u',
    'tenantId={"$in":["t"]}',
    'tenant_ids[$in][]=none',
    'filter={"$or":[{"n":1}]}',
    'filter[$eq]=x',
    'count={"$eq":2}',
    'offset[$gt]=1',
    'sortBy={"$a":1}',
    'filter={"tenantId":{"$ne":"t"}}',
  ])('is refused where an operator would have to be left out: %s', async (query) => {
    for (const call of [app.asEnvironment(), (await withAudits({ n: 1 })).call]) {
      const reply = await call(`${list}?${encodeURI(query)}`);
      expect(reply.status).toBe(400);
      expect((await bodyOf(reply)).errors[0]).toContain('takes plain values, and no operators');
    }
  });

  it('is about nobody when a client writes that it has no tenant, and refused when it names two', async () => {
    const { tenantId } = await withAudits({ n: 1 });
    const user = await app.userToken(tenantId);
    for (const unset of ['undefined', 'null', '']) {
      const headers = { 'x-access-token': `Bearer ${user}`, 'frontegg-tenant-id': unset };
      expect(await bodyOf(app.call(list, { headers }))).toMatchObject({ total: 1 });
      const written = await app.asEnvironment(unset)('/audits', { json: audit() });
      expect(written.status).toBe(400);
    }
    const twice = request(`${app.url}${list}`, {
      headers: ['x-access-token', app.environmentToken, 'frontegg-tenant-id', 'a', 'frontegg-tenant-id', 'b'],
    });
    twice.end();
    const [reply] = await once(twice, 'response');
    reply.resume();
    expect(reply.statusCode).toBe(400);
  });

  it('is of all tenants for an environment token without a header, each row with its tenant', async () => {
    const [one, other] = [await withAudits({ all: 1, n: 1 }, { all: 1, n: 3 }), await withAudits({ all: 1, n: 2 })];
    const read = async (query: string) => bodyOf(app.asEnvironment()(`${list}?all=1&${query}`));
    const { data, total } = await read('count=2&sortBy=n&sortDirection=desc');
    expect(total).toBe(3);
    expect(data.map(({ n, tenantId }: { n: number; tenantId: string }) => [n, tenantId])).toEqual([
      [3, one.tenantId],
      [2, other.tenantId],
    ]);
    expect(await read('offset=2&sortBy=n&sortDirection=desc')).toMatchObject({ total: 3, data: [{ n: 1 }] });
    expect(await read(`tenant_ids[]=${other.tenantId}`)).toMatchObject({ total: 1, data: [{ n: 2 }] });
    expect(await read(`tenant_ids=${one.tenantId},${other.tenantId},nobody`)).toMatchObject({ total: 3 });
    expect((await bodyOf(app.asEnvironment()(`${list}?count=1`))).total).toBeGreaterThanOrEqual(3);
  });

  it("keeps a tenant's callers to their own tenant", async () => {
    const [one, other] = [await withAudits({ n: 1 }), await withAudits({ n: 2 })];
    const headers = { 'x-access-token': await app.userToken(one.tenantId) };
    expect(await bodyOf(app.call(`${list}?tenant_ids=${other.tenantId}`, { headers }))).toEqual({ data: [], total: 0 });
    expect(await bodyOf(app.call(`${list}?tenantId=${one.tenantId}`, { headers }))).toMatchObject({ total: 1 });
    const named = await app.call(list, { headers: { ...headers, 'frontegg-tenant-id': other.tenantId } });
    expect(named.status).toBe(404);
    const mayNot = { 'x-access-token': await app.userToken(one.tenantId, []) };
    expect((await app.call(list, { headers: mayNot })).status).toBe(403);
    expect((await app.call('/audits', { headers, json: audit() })).status).toBe(403);
  });

  it('is empty for a tenant that is not known', async () => {
    expect(await bodyOf(app.asEnvironment('nobody')(list))).toEqual({ data: [], total: 0 });
    const headers = { 'x-access-token': await app.userToken('nobody-either') };
    expect(await bodyOf(app.call(list, { headers }))).toEqual({ data: [], total: 0 });
  });

  it('shows events that came over /v1 with the same names', async () => {
    const { tenant, call } = await app.newTenant({ external_id: 'both-ways' });
    const event = {
      action: 'user.login',
      actor: { id: 'u-1', name: 'Ada', email: 'ada@example.com' },
      target: { type: 'session', id: 's-1' },
      context: { ip: '198.51.100.9', user_agent: 'x' },
      metadata: { action: 'hidden', json: 'text', region: 'eu' },
      occurred_at: '2026-11-22T10:00:00.123456Z',
    };
    const { data: written } = await bodyOf(call('/v1/events', { json: event }));
    const { data } = await bodyOf(app.asEnvironment(tenant.id)(list));
    expect(data[0]).toMatchObject({
      frontegg_id: written.id,
      tenantId: 'both-ways',
      createdAt: '2026-11-22T10:00:00.123Z',
      action: 'user.login',
      user: 'Ada',
      actorId: 'u-1',
      resource: 'session',
      json: 'text',
      region: 'eu',
    });
  });
});

describe('GET /audits/stats', () => {
  it('counts the audits of today and the severe ones of this week', async () => {
    const { tenant, call } = await app.newTenant({ external_id: 'with-stats' });
    const day = 86_400_000;
    const ago = (days: number) => new Date(Date.now() - days * day).toISOString();
    const events = [
      { action: 'a' },
      { action: 'a', severity: 'High' },
      { action: 'a', severity: 'Error' },
      { action: 'a', severity: 'Critical', occurred_at: ago(8) },
    ];
    await call('/v1/events/batch', { json: { events } });
    const stats = app.asEnvironment(tenant.id);
    for (const path of ['/audits/stats', '/audits//stats', '/audits/stats/', '/frontegg/audits/stats']) {
      expect(await bodyOf(stats(path))).toEqual({ totalToday: 3, severeThisWeek: 2 });
    }
    expect(await bodyOf(app.asEnvironment('nobody')('/audits/stats'))).toEqual({ totalToday: 0, severeThisWeek: 0 });
    expect((await app.asEnvironment()('/audits/stats')).status).toBe(400);
  });
});

describe('What there is not', () => {
  it('is answered in the same family of errors', async () => {
    const reply = await app.asEnvironment('t')('/audits/export/pdf', { json: {} });
    expect(reply.status).toBe(404);
    expect(await bodyOf(reply)).toEqual({ errors: [expect.stringContaining('/audits/export/pdf')] });
    const wrongMethod = await app.asEnvironment('t')('/audits/stats', { method: 'DELETE' });
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const nobody = await app.call('/audits/stats');
    expect([nobody.status, await bodyOf(nobody)]).toEqual([401, { errors: [expect.any(String)] }]);
  });
});

it('compares what stands in brackets as it was written, and refuses numbers that would be rounded', async () => {
  const { call, found } = await withAudits({ n: 1, v: 5 }, { n: 2, v: 'x' });
  expect(await found('v[$gte]=00')).toEqual([2]);
  expect(await found('v[$gte]=5')).toEqual([1]);
  for (const value of ['9'.repeat(400), '9007199254740993']) {
    const reply = await call(`${list}?v[$gte]=${value}`);
    expect([reply.status, (await bodyOf(reply)).errors[0]]).toEqual([400, expect.stringContaining('send it as text')]);
  }
});

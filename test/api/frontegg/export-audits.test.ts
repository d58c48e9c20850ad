import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../../add-events.ts';
import { bodyOf } from '../start-app.ts';
import { columns, type FronteggApp, startFronteggApp } from './frontegg-app.ts';

let app: FronteggApp;
beforeAll(async () => {
  app = await startFronteggApp();
});
afterAll(() => app.close());

const v2 = '/audits/resources/audits/v2/export/csv';
const paths = { '/audits/export/csv': 201, '/audits/export/csv/v2': 201, [v2]: 200 };
let tenants = 0;

async function withAudits(...audits: object[]) {
  const tenantId = `exporting-${++tenants}`;
  const call = app.asEnvironment(tenantId);
  for (const each of audits) expect((await call('/audits', { json: { severity: 'Info', ...each } })).status).toBe(202);
  return {
    tenantId,
    call,
    rows: async (query: string, ...names: string[]) =>
      (parse(await (await call(`${v2}?${query}`, columns(...names))).text()) as string[][]).slice(1),
  };
}

describe('An export of audits', () => {
  it('has the columns that the body chooses and names, whatever else its column objects hold', async () => {
    const { call, tenantId } = await withAudits({
      action: 'opened, "twice"',
      user: 'Ada\nLovelace',
      json: { b: [1, 2], a: 'x' },
      custom: { list: [true] },
      score: 7,
      severity: 'High',
    });
    const [audit] = (await bodyOf(call('/audits'))).data;
    const properties = [
      { _id: '1', name: 'createdAt', displayName: 'Time', type: 'Timestamp', sortable: true, showInTable: true },
      { name: 'action', displayName: 'Action' },
      { name: 'user', displayName: '' },
      { name: 'json', displayName: 'Data' },
      { name: 'custom' },
      { name: 'score', displayName: 'Score' },
      { name: 'tenantId', displayName: 'Tenant' },
      { name: 'vendorId', displayName: null },
      { name: 'noSuchField' },
      { name: 'json.b[1]' },
      { name: 'severity', displayName: 'Action' },
    ];
    for (const [path, status] of Object.entries(paths)) {
      // Each export is an audit too, and the last one.
      const reply = await call(`${path}?sortBy=createdAt&sortDirection=asc`, { json: { properties, more: true } });
      expect(reply.status).toBe(status);
      expect(reply.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      const text = await reply.text();
      expect(text.split('\r\n')[0]).toBe(
        'Time,Action,user,Data,custom,Score,Tenant,vendorId,noSuchField,json.b[1],Action',
      );
      expect(parse(text)[1]).toEqual([
        audit.createdAt,
        'opened, "twice"',
        'Ada\nLovelace',
        '{"a":"x","b":[1,2]}',
        '{"list":[true]}',
        '7',
        tenantId,
        audit.vendorId,
        '',
        '2',
        'High',
      ]);
    }
  });

  it.each([
    ['no body', undefined],
    ['an empty body', {}],
    ['no properties', { properties: [] }],
    ['properties that are null', { properties: null }],
  ])('has the default columns with %s', async (_what, json) => {
    const { call } = await withAudits({ action: 'a' });
    const reply = await call(v2, { method: 'POST', ...(json && { json }) });
    expect(reply.status).toBe(200);
    const [header] = parse(await reply.text());
    expect(header).toEqual([
      'Time',
      'User',
      'Action',
      'Description',
      'IP Address',
      'Severity',
      'User Agent',
      'Json Data',
    ]);
  });

  it('filters, sorts and takes a part as the list does', async () => {
    const audits = ['Info', 'High', 'Critical', 'Info', 'High'].map((severity, n) => ({
      severity,
      n,
      email: `u${n}@example.com`,
    }));
    const { rows } = await withAudits(...audits);
    const queries: [string, string[]][] = [
      ['filter=&severity=undefined', ['4', '3', '2', '1', '0']],
      ['sortBy=createdAt&sortDirection=asc', ['0', '1', '2', '3', '4']],
      ['severity=High', ['4', '1']],
      ['email[]=u0@example.com&email[]=u3@example.com&sortBy=email&sortDirection=ASC', ['0', '3']],
      ['n={"$gte":3}&filter=', ['4', '3']],
      ['sortBy=severity&sortDirection=desc&count=2', ['2', '4']],
      ['count=2&offset=1', ['3', '2']],
      ['offset=3', ['1', '0']],
      ['offset=9', []],
      ['created_from=2999-01-01', []],
    ];
    for (const [query, expected] of queries)
      expect(await rows(encodeURI(`n={"$exists":true}&${query}`), 'n'), query).toEqual(expected.map((n) => [n]));
  });

  it("goes to a user without any header or count, under the client's file name", async () => {
    const { tenantId } = await withAudits({ n: 1 }, { n: 2 });
    const token = await app.userToken(tenantId);
    const query = 'sortBy=createdAt&sortDirection=desc&filter=&offset=0&outputFileName=audits%20of%20may';
    const reply = await app.call(`/frontegg/audits//export/csv/v2?${query}`, {
      ...columns('n'),
      headers: { authorization: `Bearer ${token}` },
    });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('content-disposition')).toContain('filename="audits of may.csv"');
    expect(await reply.text()).toBe('n\r\n2\r\n1\r\n');
  });

  it('of more rows than any page is whole, in every order', async () => {
    const { tenant } = await app.newTenant({ external_id: 'with-many' });
    const count = 30_000;
    await addManyEvents(app.database, tenant.id, { count, noiseBytes: 0 });
    const call = app.asEnvironment(tenant.id);
    for (const [query, first] of [
      ['', count],
      ['sortBy=createdAt&sortDirection=asc', 1],
      ['sortBy=n&sortDirection=desc', count],
      [`sortBy=n&sortDirection=desc&count=${count - 5}&offset=5`, count - 5],
    ] as const) {
      const reply = await call(`/audits/export/csv?region=eu&${query}`, columns('n', 'createdAt'));
      const rows: string[][] = parse(await reply.text()).slice(1);
      expect(new Set(rows.map(([n]) => n)).size).toBe(query.includes('count') ? count - 5 : count);
      expect(rows[0]![0]).toBe(String(first));
    }
  });

  it('of a tenant that is not known, or of another, is a header alone', async () => {
    const reply = await app.asEnvironment('nobody')(v2, columns('action'));
    expect([reply.status, await reply.text()]).toEqual([200, 'action\r\n']);
    const [one, other] = [await withAudits({ n: 1 }), await withAudits({ n: 2 })];
    const headers = { 'x-access-token': await app.userToken(one.tenantId) };
    const narrowed = await app.call(`${v2}?tenant_ids=${other.tenantId}`, { ...columns('n'), headers });
    expect(await narrowed.text()).toBe('n\r\n');
    const named = { ...headers, 'frontegg-tenant-id': other.tenantId };
    expect((await app.call(v2, { ...columns('n'), headers: named })).status).toBe(404);
    expect((await app.asEnvironment()(v2, columns('n'))).status).toBe(400);
  });

  it.each([
    [{ properties: 'all' }, 'properties: must be a list of {"name", "displayName"}'],
    [{ properties: [{ displayName: 'x' }] }, 'properties.0.name: must be text'],
    [{ properties: [{ name: '' }] }, 'properties.0.name: must not be empty'],
    [{ properties: [{ name: 'a' }, { name: 'b', displayName: 1 }] }, 'properties.1.displayName: must be text'],
    [[], 'The body must be a JSON object'],
  ])('answers 400 for %j', async (json, message) => {
    const { call } = await withAudits();
    const reply = await call(v2, { json });
    expect([reply.status, await bodyOf(reply)]).toEqual([400, { errors: [message] }]);
  });

  it('and the CSV of /v1 defuse formulas where the tenant is set so, and say how many; else they keep every byte', async () => {
    const { call, tenantId } = await withAudits({
      action: '=1',
      user: "'=2",
      custom: '@x',
      'a.b': '+3',
      a: { b: 'other' },
      score: -5,
    });
    const asTenant = { headers: { 'logferry-tenant': tenantId } };
    const set = (csv_formulas: string) =>
      app.admin(`/v1/tenants/${tenantId}`, { method: 'PATCH', json: { csv_formulas } });
    const wanted = columns('action', 'user', 'custom', 'a.b', 'score', 'none');
    const read = async () => [
      await (await call(`${v2}?action=%3D1`, wanted)).text(),
      (await (await app.admin('/v1/events/export?format=csv&action=%3D1', asTenant)).text()).split('\r\n')[1]!,
    ];
    const kept = await read();
    expect(kept[0]).toBe("action,user,custom,a.b,score,none\r\n=1,'=2,@x,+3,-5,\r\n");
    expect(kept[1]).toContain(',=1,Info,');
    expect((await set('neutralise')).status).toBe(422);
    expect((await set('neutralize')).status).toBe(200);
    const neutralized = await read();
    expect(neutralized[0]).toContain(`\r\n"'=1","'=2","'@x","'+3","-5",\r\n`);
    expect(neutralized[1]).toContain(`,"'=1","Info",`);
    await set('keep');
    expect(await read()).toEqual(kept);
    const streams = `select metadata->'neutralized_cells' as cells from events
      where action = 'logferry.events.streamed' and tenant_id = (select id from tenants where external_id = $1)`;
    const told = async () =>
      (await app.database.pool.query(streams, [tenantId])).rows.map(({ cells }) => cells).toSorted();
    await expect.poll(told).toEqual([1, 3, null, null, null, null]);
  });

  it('is told of in the audit log of its tenant, as it was asked for', async () => {
    const { call, rows } = await withAudits({ n: 1, severity: 'High' });
    await rows('severity=High&count=5', 'n');
    const last = async () => (await bodyOf(call('/audits?action=logferry.events.streamed'))).data[0];
    await expect
      .poll(last)
      .toMatchObject({ rows: 1, complete: true, columns: 1, filter: { severity: 'High', count: '5' } });
  });
});

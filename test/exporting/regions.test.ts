import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../local/free-port.ts';
import { managementLogId } from '../../prisma/control-log.ts';
import { tokenSettings, userTokenFor } from '../api/credentials.ts';
import { isOfOne, pathTo, type RouteRow, routes, tenantHeaderOf } from '../api/route-table.ts';
import { makeThings, type Things } from '../api/route-things.ts';
import { bodyOf } from '../api/start-app.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';

/** Each with a database, a queue and a storage of its own. */
let eu: Exporting;
let us: Exporting;
beforeAll(async () => {
  const [euPort, usPort] = [await findFreePort(), await findFreePort()];
  const settings = {
    ...tokenSettings,
    LOGFERRY_REGIONS: JSON.stringify({ eu: `http://127.0.0.1:${euPort}`, us: `http://127.0.0.1:${usPort}` }),
    LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
  };
  const open = (region: string, port: number) =>
    startExporting({ ...settings, LOGFERRY_REGION: region, PORT: String(port) }, { worker: false });
  eu = await open('eu', euPort);
  us = await open('us', usPort);
});
afterAll(async () => {
  await eu?.close();
  await us?.close();
});

/** A tenant that lives in us and has one of everything there, and the id of the record that eu has of it. */
async function newTenantOfUs(name: string) {
  const home = await makeThings(us, { external_id: name });
  const record = { name, region: 'us', external_id: name };
  const { id } = await bodyOf(eu.admin('/v1/tenants', { json: record }));
  return { ...home, idInEu: id as string };
}

describe('A tenant of us', () => {
  it.each(routes.filter(isOfOne).map((row) => [`${row.method} ${row.path}`, row] as const))(
    'is sent there by eu, and is served there: %s',
    async (name, row) => {
      const { things, idInEu } = await newTenantOfUs(name);
      const call = (app: Exporting, key: string, headers: Record<string, string> = {}) =>
        send(app, row, things, { authorization: `Bearer ${key}`, ...headers });
      const tenantHeader = tenantHeaderOf(row);
      const replies = [
        await call(eu, eu.adminKey, { [tenantHeader]: name }),
        await call(eu, eu.adminKey, { [tenantHeader]: idInEu }),
        await call(eu, userTokenFor(name)),
      ];
      for (const reply of replies) {
        expect([reply.status, reply.headers.get('location')]).toEqual([421, us.url]);
        const body = await bodyOf(reply);
        if (row.family === 'frontegg') expect(body.errors[0]).toContain(us.url);
        else expect(body).toMatchObject({ base_url: us.url, error: { type: 'misdirected_request' } });
      }
      const location = replies[0]!.headers.get('location')!;
      expect(location).toBe(us.url);
      expect((await call(us, us.adminKey, { [tenantHeader]: name })).status).toBe(row.status);
    },
  );

  it('leaves nothing in eu: no event, no export, no file', async () => {
    const { call, tenant } = await newTenantOfUs('stays');
    const worker = await us.work();
    const { view, text } = await exportFile(call, { format: 'csv', filter: { action: 'user.login' } });
    await worker.stop();
    expect(view.rows).toBe(1);
    expect(text).toContain('user.login');
    const { rows } = await us.database.pool.query('select storage_key from exports where id = $1', [view.id]);
    const key: string = rows[0].storage_key;
    expect(key).toContain(tenant.id);
    expect(await us.deps.store.statObject(key)).toBeDefined();
    expect(await eu.deps.store.statObject(key)).toBeUndefined();
    const inEu = `select (select count(*) from events where tenant_id <> $1)::int as events, (select count(*) from exports)::int as exports`;
    expect((await eu.database.pool.query(inEu, [managementLogId])).rows).toEqual([{ events: 0, exports: 0 }]);
  });

  it("has no key in eu: one made in us is not known there, and eu's management can make none", async () => {
    const { call, key } = await newTenantOfUs('keys');
    expect((await eu.caller(key)('/v1/events')).status).toBe(401);
    const reply = await eu.admin('/v1/api-keys', { json: { name: 'x', tenant_id: 'keys' } });
    expect([reply.status, reply.headers.get('location')]).toEqual([421, us.url]);
    expect((await eu.admin('/v1/api-keys?tenant_id=keys')).status).toBe(421);
    expect((await call('/v1/events')).status).toBe(200);
  });

  it('stays there: no change moves it, as its rows and files would stay behind', async () => {
    const { idInEu, tenant } = await newTenantOfUs('settled');
    for (const [app, id] of [[eu, idInEu] as const, [us, tenant.id] as const]) {
      const reply = await app.admin(`/v1/tenants/${id}`, { method: 'PATCH', json: { region: 'eu' } });
      expect(reply.status).toBe(422);
      expect((await bodyOf(app.admin(`/v1/tenants/${id}`))).region).toBe('us');
    }
  });
});

describe('GET /v1/regions', () => {
  it('names both homes in either region, and says which one answers', async () => {
    for (const app of [eu, us]) {
      const { data } = await bodyOf(fetch(`${app.url}/v1/regions`));
      expect(data.toSorted((a: { region: string }, b: { region: string }) => (a.region < b.region ? -1 : 1))).toEqual([
        { region: 'eu', base_url: eu.url, current: app === eu },
        { region: 'us', base_url: us.url, current: app === us },
      ]);
    }
  });
});

const send = (app: Exporting, row: RouteRow, things: Things, headers: Record<string, string>): Promise<Response> =>
  fetch(app.url + pathTo(row, (thing) => things[thing]), {
    method: row.method,
    redirect: 'manual',
    headers: { ...(row.body && { 'content-type': 'application/json' }), ...headers },
    body: row.body && JSON.stringify(row.body),
  });

import { afterAll, beforeAll, expect, it } from 'vitest';
import { bodyOf } from '../start-app.ts';
import { type FronteggApp, startFronteggApp } from './frontegg-app.ts';

let app: FronteggApp;
beforeAll(async () => {
  app = await startFronteggApp();
});
afterAll(() => app.close());

const path = '/metadata?entityName=audits';

it('says which columns audits have, whoever reads them', async () => {
  await app.newTenant({ external_id: 'reader' });
  const headers = { authorization: `Bearer ${await app.userToken('reader')}` };
  for (const read of [app.asEnvironment()(path), app.call(`/frontegg//metadata/?entityName=audits`, { headers })]) {
    const { rows } = await bodyOf(read);
    expect(rows).toEqual([{ id: expect.any(String), entityName: 'audits', properties: expect.any(Array) }]);
    expect(rows[0].properties[0]).toEqual({
      name: 'createdAt',
      displayName: 'Time',
      type: 'Timestamp',
      sortable: true,
      filterable: true,
      showInTable: true,
      showInMoreInfo: true,
    });
  }
  expect(await bodyOf(app.asEnvironment()('/metadata?entityName=notifications'))).toEqual({ rows: [] });
  expect((await app.call(path)).status).toBe(401);
});

it('shows the columns that the management has set, and lets nobody else set any', async () => {
  const properties = [{ name: 'score', displayName: 'Score', type: 'AlphaNumeric', showInTable: true, own: { a: 1 } }];
  const user = { 'x-access-token': await app.userToken('reader') };
  const refused = await app.call('/metadata', { json: { entityName: 'audits', properties }, headers: user });
  expect(refused.status).toBe(403);
  expect((await app.asEnvironment()('/metadata', { json: { properties: 'all' } })).status).toBe(400);
  const set = await app.asEnvironment()('/metadata', { json: { entityName: 'audits', properties } });
  expect(set.status).toBe(200);
  expect((await bodyOf(app.call(path, { headers: user }))).rows[0].properties).toEqual(properties);
  const reader = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'reader', scopes: ['events:read'] } }));
  const byReader = await app.call('/metadata', { json: { properties }, headers: { 'x-access-token': reader.key } });
  expect(byReader.status).toBe(403);
  // A portal may ask by POST.
  const asked = await app.call('/metadata', { json: { entityName: 'audits' }, headers: user });
  expect((await bodyOf(asked)).rows[0].properties).toEqual(properties);
  await app.asEnvironment()('/metadata', { json: { properties: [] } });
  expect((await bodyOf(app.call(path, { headers: user }))).rows[0].properties).toHaveLength(16);
});

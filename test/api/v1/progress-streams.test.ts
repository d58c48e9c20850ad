import { afterAll, beforeAll, expect, it } from 'vitest';
import { progressLimits } from '../../../core/limits/replies.ts';
import { type Database, openDatabase } from '../../../prisma/client.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';
import { type App, bodyOf, startApp } from '../start-app.ts';

let testDatabase: TestDatabase;
let database: Database;
let app: App;
let looks = 0;
/** What looks wait for. */
let gate = Promise.resolve();
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url);
  const prisma = database.prisma.$extends({
    query: {
      export: {
        async findFirst({ args, query }) {
          looks++;
          await gate;
          return query(args);
        },
      },
    },
  }) as unknown as Database['prisma'];
  app = await startApp({ DATABASE_URL: testDatabase.url }, { database: { ...database, prisma } });
});
afterAll(async () => {
  await app.close();
  await database.close();
  await testDatabase.drop();
});

/** Ends once the stream has told of the progress so many times. */
async function hear(reply: Response, times: number): Promise<void> {
  const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let heard = 0; heard < times; ) {
    heard += (await reader.read()).value!.split('event: progress').length - 1;
  }
}

it('Fifty streams of progress share one look at the export, and a key has no more of them', async () => {
  const { call, tenant } = await app.newTenant();
  const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' } }));
  const path = `/v1/exports/${id}/events`;
  const hangUp = new AbortController();
  const { signal } = hangUp;
  const most = progressLimits.ofOneCaller!;
  const streams = await Promise.all(Array.from({ length: most }, () => call(path, { signal })));
  expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
  looks = 0;
  await Promise.all(streams.map((reply) => hear(reply, 4)));
  // Each alone would have looked three times.
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThan(most);
  const refused = await call(path);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
  expect(await bodyOf(refused)).toMatchObject({ error: { type: 'rate_limit_exceeded' } });
  // Another key of the tenant has places of its own, and so have other calls of this one.
  const other = await bodyOf(app.admin('/v1/api-keys', { json: { name: 'other', tenant_id: tenant.id } }));
  expect((await app.caller(other.key)(path, { signal })).status).toBe(200);
  expect((await call(`/v1/exports/${id}`)).status).toBe(200);
  hangUp.abort();
  const again = new AbortController();
  await expect.poll(async () => (await call(path, { signal: again.signal })).status).toBe(200);
  again.abort();
});

it('Who hangs up before the export is found keeps no place', async () => {
  const { call } = await app.newTenant();
  const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv' } }));
  const path = `/v1/exports/${id}/events`;
  const most = progressLimits.ofOneCaller!;
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  looks = 0;
  const gone = new AbortController();
  const left = Array.from({ length: most }, () => call(path, { signal: gone.signal }).catch(() => 'gone'));
  await expect.poll(() => looks).toBe(most);
  gone.abort();
  expect(await Promise.all(left)).toEqual(left.map(() => 'gone'));
  resolve();
  const stay = new AbortController();
  const { signal } = stay;
  const one = async () => (await call(path, { signal })).status;
  for (let n = 0; n < most; n++) await expect.poll(one).toBe(200);
  stay.abort();
});

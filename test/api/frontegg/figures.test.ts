import { afterAll, beforeAll, expect, it } from 'vitest';
import { bodyOf } from '../start-app.ts';
import { type FronteggApp, startFronteggApp } from './frontegg-app.ts';

let app: FronteggApp;
beforeAll(async () => {
  app = await startFronteggApp();
  for (const [tenant, counts] of [
    ['one', { Files: 3, Users: 1 }],
    ['other', { Files: 2 }],
  ] as const) {
    const { call } = await app.newTenant({ external_id: tenant });
    const events = Object.entries(counts).flatMap(([type, count]) =>
      Array.from({ length: count }, (_, n) => ({
        action: 'a',
        target: { type },
        occurred_at: `2026-11-0${n + 1}T00:00:00Z`,
      })),
    );
    await call('/v1/events/batch', { json: { events } });
  }
});
afterAll(() => app.close());

const path = '/audits/resources/metrics/v1';
const from = Date.parse('2026-11-01T00:00:00Z');
const day = 86_400_000;

it('counts the audits of all tenants by resource, by tenant and by step of time', async () => {
  const query = `from=${from}&to=${from + 3 * day}&frequency=${day}&limit=1`;
  expect(await bodyOf(app.asEnvironment()(`${path}?${query}`))).toEqual({
    topResources: [{ resource: 'Files', count: 5 }],
    topTenants: [{ tenantId: 'one', count: 4 }],
    auditsCounterByTime: [
      { time: '2026-11-01T00:00:00.000Z', count: 3 },
      { time: '2026-11-02T00:00:00.000Z', count: 2 },
      { time: '2026-11-03T00:00:00.000Z', count: 1 },
    ],
  });
});

it('is of the last day when nothing is said, and for the management alone', async () => {
  expect(await bodyOf(app.asEnvironment()(path))).toEqual({
    topResources: [],
    topTenants: [],
    auditsCounterByTime: [],
  });
  const headers = { 'x-access-token': await app.userToken('one') };
  expect((await app.call(path, { headers })).status).toBe(403);
});

it.each([
  ['from=a', 'from: must be'],
  [`from=${from + 1}&to=${from}`, 'from: is after'],
  [`from=0&to=${from}&frequency=1000`, 'frequency: cuts'],
  ['limit=0', 'limit: must be'],
])('answers 400 for %s', async (query, message) => {
  const reply = await app.asEnvironment()(`${path}?${query}`);
  expect(reply.status).toBe(400);
  expect((await bodyOf(reply)).errors[0]).toContain(message);
});

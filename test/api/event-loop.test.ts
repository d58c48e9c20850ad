import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ApiProcess, startApiProcess } from './api-process.ts';
import { type App, startApp } from './start-app.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/**
 * Milliseconds of CPU for which no request may hold the event loop, on a machine that does nothing else. What others do makes
 * the same work take more of it, up to about twice as much.
 */
const mostHeldMs = 200;
const allowance = 2;

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const listOf = (count: number, value: string): string => `[${many(count, () => value).join(',')}]`;
const event = (list: string): string => `{"action":"a","metadata":{"list":${list}}}`;
const batch = (count: number, make: (i: number) => string): string => `{"events":[${many(count, make).join(',')}]}`;
const members = (count: number, make: (i: number) => string): string =>
  `{"action":"a","metadata":{${many(count, make).join(',')}}}`;
/** Numbers with so many digits that each has to be looked at. */
const longNumbers = (count: number): string => `[${many(count, (i) => `0.${1234567890123456 + i}`).join(',')}]`;

const json = 'application/json';
const ndjson = 'application/x-ndjson';

type Attack = { path: string; body: () => string | Buffer; type?: string; encoding?: string; status: number };

/** Each is as large as it may be, and made of what takes longest. */
const attacks: Record<string, Attack> = {
  'a batch of as many members as are taken': {
    path: '/v1/events/batch',
    body: () => batch(1000, (n) => members(495, (i) => `"m${(i * 7919 + n) % 100_003}":"${'v'.repeat(15)}"`)),
    status: 201,
  },
  'a batch of keys with escapes': {
    path: '/v1/events/batch',
    body: () => batch(1000, () => members(9, (i) => `"\\u0061${i}":"${'y'.repeat(1_700)}"`)),
    status: 201,
  },
  'a batch of long numbers': {
    path: '/v1/events/batch',
    body: () => batch(1000, () => event(longNumbers(850))),
    status: 201,
  },
  'a batch of one large event': {
    path: '/v1/events/batch',
    body: () => batch(1, () => event(longNumbers(860_000))),
    status: 422,
  },
  'a batch of more values than are taken': {
    path: '/v1/events/batch',
    body: () => batch(1, () => event(listOf(5_400_000, '[]'))),
    status: 422,
  },
  'a batch of mistakes': {
    path: '/v1/events/batch',
    body: () => batch(1000, () => `{${many(490, (i) => `"xxxxxxxxxxxxxxxxxxx${i}":1`).join(',')}}`),
    status: 422,
  },
  'a compressed batch': {
    path: '/v1/events/batch',
    body: () => gzipSync(batch(1000, () => members(1, () => `"t":"${'x'.repeat(16_000)}"`))),
    encoding: 'gzip',
    status: 201,
  },
  'an event of numbers with exponents': {
    path: '/v1/events',
    body: () => event(listOf(200_000, '1e9')),
    status: 422,
  },
  'an event of objects': { path: '/v1/events', body: () => event(listOf(349_000, '{}')), status: 201 },
  'NDJSON of lines of 1 MiB': {
    path: '/v1/events/batch',
    body: () => many(4, () => event(listOf(500_000, '1'))).join('\n'),
    type: ndjson,
    status: 201,
  },
  'NDJSON of one line of 16 MiB': {
    path: '/v1/events/batch',
    body: () => event(longNumbers(860_000)),
    type: ndjson,
    status: 422,
  },
  'NDJSON of one blank line of 16 MiB': {
    path: '/v1/events/batch',
    body: () => ' '.repeat(16_000_000),
    type: ndjson,
    status: 201,
  },
  'a filter of unknown members': {
    path: '/v1/exports',
    body: () => JSON.stringify({ format: 'csv', filter: Object.fromEntries(many(60_000, (i) => [`u${i}`, 1])) }),
    status: 422,
  },
  'a filter of as many criteria as are taken': {
    path: '/v1/exports',
    body: () => JSON.stringify({ format: 'csv', filter: { metadata: manyCriteria() } }),
    status: 202,
  },
  'an estimate by as many criteria': {
    path: '/v1/exports/estimate',
    body: () => JSON.stringify({ format: 'csv', filter: { metadata: manyCriteria() } }),
    status: 200,
  },
};

const manyCriteria = () =>
  Object.fromEntries(many(100, (i) => [`a.b${i}`, { $in: many(1000, (value) => `v${value}`) }]));

/** Of a log whose newest hundred events are 8 MiB. */
const reads: Record<string, [path: string, init?: RequestInit]> = {
  'a page of 8 MiB': ['/v1/events?limit=100'],
  "a page of LogProof's": ['/v1/events?per_page=100'],
  "a list of Frontegg's": ['/audits?count=100'],
  "a CSV of Frontegg's": [
    '/audits/export/csv',
    { method: 'POST', body: '{"properties":[{"name":"action","title":"a"}]}' },
  ],
  'a verification': ['/v1/verify'],
  'a stream of events': ['/v1/events/export?format=json'],
};

describe('The event loop of the API', () => {
  let app: App;
  let api: ApiProcess;
  let key: string;
  beforeAll(async () => {
    app = await startApp();
    ({ key } = await app.newTenant({ plan: 'enterprise' }));
    api = await startApiProcess(app);
  });
  afterAll(async () => {
    await api.ended('SIGTERM');
    await app.close();
  });

  /** The status of the reply, read to its end, and how long the loop was held at most until then. */
  async function heldBy(path: string, { headers, ...init }: RequestInit = {}) {
    await api.heldMs();
    const all = { authorization: `Bearer ${key}`, 'content-type': json, ...headers };
    const reply = await fetch(api.url + path, { ...init, headers: all });
    await reply.arrayBuffer();
    return { status: reply.status, heldMs: await api.heldMs() };
  }

  it.each(Object.entries(attacks))(
    'is not held by %s',
    async (_name, { path, body, type = json, encoding, status }) => {
      const headers = { 'content-type': type, ...(encoding ? { 'content-encoding': encoding } : {}) };
      const held = await heldBy(path, { method: 'POST', headers, body: body() });
      expect(held.status).toBe(status);
      expect(held.heldMs).toBeLessThan(mostHeldMs * allowance);
    },
  );

  it('is not held by what is read of large events', async () => {
    const large = batch(100, () => members(1, () => `"t":"${'x'.repeat(83_000)}"`));
    expect((await heldBy('/v1/events/batch', { method: 'POST', body: large })).status).toBe(201);
    for (const [name, [path, init]] of Object.entries(reads)) {
      const held = await heldBy(path, init);
      expect([name, held.status]).toEqual([name, expect.toSatisfy((status: number) => status < 300)]);
      expect([name, held.heldMs < mostHeldMs * allowance]).toEqual([name, true]);
    }
  });

  it('goes on while a large body is read: another request is answered first', async () => {
    const slow = heldBy('/v1/events/batch', { method: 'POST', body: batch(1000, () => event(longNumbers(850))) });
    const order: string[] = [];
    const done = slow.then(() => order.push('large'));
    for (let i = 0; i < 3; i++) await fetch(`${api.url}/livez`).then(() => order.push('small'));
    await done;
    expect(order).toEqual(['small', 'small', 'small', 'large']);
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

let app: App;
let call: Call;
const posted = Array.from({ length: 60 }, (_, i) => ({
  action: ['user.login', 'user.logout', 'doc.shared'][i % 3],
  severity: ['Info', 'Critical'][i % 2],
  actor: { id: `u${i % 4}`, email: `u${i % 4}@example.com`, name: 'Ann' },
  target: { type: 'doc', id: `d${i % 5}` },
  context: { ip: `10.0.0.${i % 3}` },
  metadata: { n: i, 'a.b': i % 2 === 0 },
  occurred_at: `2026-01-${String((i % 20) + 1).padStart(2, '0')}T00:00:00.00000${i % 10}Z`,
}));
beforeAll(async () => {
  app = await startApp();
  ({ call } = await app.newTenant());
  expect((await call('/v1/events/batch', { json: { events: posted } })).status).toBe(201);
});
afterAll(() => app.close());

const list = (query = '', by = call) => bodyOf(by(`/v1/events?${query}`));
/** Numbers (metadata.n) of all pages. */
async function walk(query: string): Promise<number[]> {
  const numbers: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const { data, meta } = await list(`${query}${cursor && `&cursor=${cursor}`}`);
    numbers.push(...data.map((event: { metadata: { n: number } }) => event.metadata.n));
    cursor = meta.next_cursor;
    expect(meta.has_more).toBe(cursor !== null);
  }
  return numbers;
}
const newestFirst = posted
  .map((event, n) => ({ n, key: `${event.occurred_at}${String(n).padStart(3, '0')}` }))
  .sort((a, b) => (a.key < b.key ? 1 : -1))
  .map(({ n }) => n);
const ascending = (numbers: number[]) => numbers.toSorted((a, b) => a - b);
const where = (test: (event: (typeof posted)[number]) => boolean) => posted.flatMap((e, n) => (test(e) ? [n] : []));

describe('GET /v1/events', () => {
  it('gives 25 events, newest first, and where to go on', async () => {
    const { data, meta } = await list();
    expect(data.map((event: { metadata: { n: number } }) => event.metadata.n)).toEqual(newestFirst.slice(0, 25));
    expect(meta).toEqual({ next_cursor: expect.any(String), has_more: true });
  });

  it.each(['limit=7', 'per_page=7', 'limit=100', 'limit=60', 'limit=30'])(
    'gives every event once with %s',
    async (query) => {
      expect(await walk(query)).toEqual(newestFirst);
    },
  );

  it('sorts by a field, upwards or downwards', async () => {
    expect(await walk('sort=metadata.n&limit=13')).toEqual(posted.map((_, n) => n));
    expect(await walk('sort=-metadata.n&limit=13')).toEqual(posted.map((_, n) => n).toReversed());
    expect(await walk('sort=occurred_at&limit=13')).toEqual(newestFirst.toReversed());
  });

  it.each([
    ['action=user.login', where((e) => e.action === 'user.login')],
    ['action=user.*', where((e) => e.action!.startsWith('user.'))],
    ['action=user.login&action=doc.*', where((e) => e.action !== 'user.logout')],
    ['actor_id=u1&actor_id=u2', where((e) => ['u1', 'u2'].includes(e.actor.id))],
    ['actor_email=u3@example.com', where((e) => e.actor.id === 'u3')],
    ['target_type=doc&target_id=d4', where((e) => e.target.id === 'd4')],
    ['severity=CRITICAL', where((e) => e.severity === 'Critical')],
    ['ip=10.0.0.2', where((e) => e.context.ip === '10.0.0.2')],
    ['from=2026-01-05T00:00:00.000004Z&to=2026-01-05', where((e) => e.occurred_at.startsWith('2026-01-05'))],
    ['to=2026-01-01T00:00:00.000000Z', where((e) => e.occurred_at <= '2026-01-01T00:00:00.000000Z')],
    ['after_sequence=10&through_sequence=12', [10, 11]],
    ['search=SHARED+ann', where((e) => e.action === 'doc.shared')],
    [`metadata=${encodeURIComponent('{"n": {"$gte": 10, "$lt": 12}, "[\\"a.b\\"]": true}')}`, [10]],
  ])('filters by %s', async (query, expected) => {
    expect(ascending(await walk(`${query}&limit=9`))).toEqual(expected);
  });

  it.each([
    ['acton=x', 'acton', 'did you mean "action"?'],
    ['limit=0', 'limit', '1 to 100'],
    ['limit=101', 'limit', '1 to 100'],
    ['per_page=101', 'per_page', '1 to 100'],
    ['limit=5&per_page=5', 'per_page', 'one of the two'],
    ['cursor=nonsense', 'cursor', 'not a cursor'],
    ['sort=severty', 'sort', 'did you mean "severity"?'],
    ['sort=action&sort=id', 'sort', 'given once'],
    ['sort=metadata.a%00b', 'sort', 'NUL'],
    [`metadata=${encodeURIComponent('{"a[\\"\\\\u0000\\"]":1}')}`, 'metadata.a["\\u0000"]', 'is not a path'],
    ['severity=hihg', 'severity', 'did you mean "High"?'],
    ['from=yesterday', 'from', 'RFC 3339'],
    ['from=2026-01-02&to=2026-01-01', 'from', 'after "to"'],
    ['action=', 'action', 'must not be empty'],
    ['metadata=%7B', 'metadata', 'object'],
    ['metadata=%7B%22a%22%3A%7B%22%24gtt%22%3A1%7D%7D', 'metadata.a.$gtt', 'did you mean'],
    ['after_sequence=x', 'after_sequence', 'whole number'],
  ])('answers 422 for %s and names %s', async (query, path, message) => {
    const reply = await call(`/v1/events?${query}`);
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).errors).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  it('refuses a cursor with another filter or sort', async () => {
    const { meta } = await list('action=user.*');
    for (const query of ['action=doc.*', '', 'action=user.*&sort=id']) {
      const reply = await call(`/v1/events?${query}&cursor=${meta.next_cursor}`);
      expect(reply.status).toBe(422);
      expect((await bodyOf(reply)).errors[0]).toMatchObject({ path: 'cursor' });
    }
    expect((await list(`action=user.*&limit=3&cursor=${meta.next_cursor}`)).data).toHaveLength(3);
  });

  it('takes no cursor of another tenant for a place of this one', async () => {
    const { meta } = await list();
    const other = await app.newTenant();
    expect((await other.call(`/v1/events?cursor=${meta.next_cursor}`)).status).toBe(422);
  });

  it("shows none of another tenant's events, and answers 403 without the scope", async () => {
    const other = await app.newTenant();
    expect(await list('', other.call)).toEqual({ data: [], meta: { next_cursor: null, has_more: false } });
    const writer = await app.newTenant({ scopes: ['events:write'] });
    expect((await writer.call('/v1/events')).status).toBe(403);
  });
});

describe('GET /v1/events/:id', () => {
  it('answers the event, its id in either case', async () => {
    const [event] = (await list('limit=1')).data;
    expect(await bodyOf(call(`/v1/events/${event.id.toUpperCase()}`))).toEqual({ data: event });
  });

  it("answers the same 404 for another tenant's event, a missing one, and what is no id", async () => {
    const other = await app.newTenant();
    const [event] = (await list('limit=1')).data;
    const replies = [event.id, randomUUID(), 'nonsense', '%00'].map((id) => other.call(`/v1/events/${id}`));
    const problems = await Promise.all(replies.map(async (reply) => ({ ...(await bodyOf(reply)), request_id: '' })));
    expect(problems[0]).toMatchObject({ status: 404, error: { type: 'not_found' } });
    for (const problem of problems) expect(problem).toEqual(problems[0]);
  });
});

it('searches without regard to case, as Unicode folds it', async () => {
  const { call: greek } = await app.newTenant();
  const names = ['ΟΔΟΣ', 'Μάρκος', 'ſtraße', 'µm', 'ÅNGSTRÖM'];
  for (const name of names) await greek('/v1/events', { json: { action: 'a', actor: { name } } });
  const found = async (word: string) =>
    (await list(`search=${encodeURIComponent(word)}`, greek)).data.map(
      (event: { actor: { name: string } }) => event.actor.name,
    );
  expect(await found('οδος')).toEqual(['ΟΔΟΣ']);
  expect(await found('οδοσ')).toEqual(['ΟΔΟΣ']);
  expect(await found('ΜΆΡΚΟΣ')).toEqual(['Μάρκος']);
  expect(await found('μm')).toEqual(['µm']);
  expect(await found('ångström')).toEqual(['ÅNGSTRÖM']);
  expect(await found('100%é')).toEqual([]);
});

it('cuts a page of large events by bytes, and goes on where it ended', async () => {
  const { call: large } = await app.newTenant();
  for (let n = 0; n < 24; n++) {
    const json = { action: 'large', description: 'x'.repeat(n % 8 === 7 ? 10 : 900_000), metadata: { n } };
    expect((await large('/v1/events', { json })).status).toBe(201);
  }
  const seen: number[] = [];
  const pages: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const reply = await large(`/v1/events?limit=100&sort=sequence_number${cursor && `&cursor=${cursor}`}`);
    const text = await reply.text();
    expect(text.length).toBeLessThan(10 * 1024 * 1024);
    const { data, meta } = JSON.parse(text);
    pages.push(data.length);
    seen.push(...data.map((event: { metadata: { n: number } }) => event.metadata.n));
    expect(meta.has_more).toBe(meta.next_cursor !== null);
    cursor = meta.next_cursor;
  }
  expect(seen).toEqual(Array.from({ length: 24 }, (_, n) => n));
  expect(pages.length).toBeGreaterThan(1);
});

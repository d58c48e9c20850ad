import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJson } from '../../../core/json/json.ts';
import { arbitraryJsonObject } from '../../core/json/arbitrary-json.ts';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const whole = {
  action: 'document.shared',
  severity: 'hIGH',
  actor: { id: 'u-1', type: 'user', name: 'Ann "A" Öz', email: 'ann@example.com', meta: { role: 'admin' } },
  target: { type: 'document', id: 'd-1', meta: { size: 3 } },
  context: { ip: '10.0.0.1', user_agent: 'curl/8', session: { z: 1, a: [true, null] } },
  description: 'Shared, with "quotes"\nand lines',
  diff: { before: null, after: { public: true } },
  metadata: { b: 1, a: { '10': 1, '9': 2 } },
  occurred_at: '2026-01-02T03:04:05.678901+02:00',
};

type Event = { id: string; sequence_number: number; action: string; hash: string; previous_hash: string };

const post = (call: Call, event: unknown) => call('/v1/events', { json: event });
const postText = (call: Call, body: string, path = '/v1/events') =>
  call(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
const stored = async (call: Call): Promise<Event[]> =>
  (await bodyOf(call('/v1/events?limit=100&sort=sequence_number'))).data;
const verdict = async (call: Call) => (await bodyOf(call('/v1/verify'))).data;

describe('POST /v1/events', () => {
  it('answers the whole event, to the byte as GET shows it', async () => {
    const { call } = await app.newTenant();
    const reply = await post(call, whole);
    const text = await reply.text();
    expect(reply.status).toBe(201);
    const { data } = JSON.parse(text);
    expect(data).toEqual({
      ...whole,
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/),
      sequence_number: 1,
      severity: 'High',
      occurred_at: '2026-01-02T01:04:05.678901Z',
      received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      created_at: data.received_at,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      previous_hash: '0'.repeat(64),
      proof: { seed: expect.stringMatching(/^[\w-]{22}$/) },
    });
    expect(Object.keys(data).at(-1)).toBe('proof');
    expect(await (await call(`/v1/events/${data.id}`)).text()).toBe(text);
    expect(await stored(call)).toEqual([data]);
  });

  it('answers a repeat with the stored event and stores nothing', async () => {
    const { call } = await app.newTenant();
    const id = randomUUID();
    const first = await bodyOf(post(call, { ...whole, id: id.toUpperCase() }));
    const again = await post(call, { action: 'another', id });
    expect(again.status).toBe(201);
    expect(await bodyOf(again)).toEqual(first);
    expect(await stored(call)).toEqual([first.data]);
  });

  it('stores the same id posted 50 times at once only once, and answers all alike', async () => {
    const { call } = await app.newTenant();
    const id = randomUUID();
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => post(call, { action: `a${i}`, id })));
    expect(replies.map((reply) => reply.status)).toEqual(Array(50).fill(201));
    const events = await Promise.all(replies.map(bodyOf));
    expect(await stored(call)).toEqual([events[0].data]);
    for (const event of events) expect(event).toEqual(events[0]);
  });

  it('gives 64 clients that post at once one gapless chain, as each was told', async () => {
    const { call } = await app.newTenant();
    const told = await Promise.all(
      Array.from({ length: 64 }, async (_, client) => {
        const events: Event[] = [];
        for (let i = 0; i < 4; i++) {
          if (client % 2 === 0) events.push((await bodyOf(post(call, { action: `c${client}.${i}` }))).data);
          else {
            const json = { events: [{ action: `c${client}.${i}a` }, { action: `c${client}.${i}b` }] };
            events.push(...(await bodyOf(call('/v1/events/batch', { json }))).data);
          }
        }
        return events;
      }),
    );
    const all = told.flat().sort((a, b) => a.sequence_number - b.sequence_number);
    expect(all.map((event) => event.sequence_number)).toEqual(Array.from({ length: 384 }, (_, i) => i + 1));
    expect(new Set(all.map((event) => event.action)).size).toBe(384);
    for (const [i, event] of all.entries()) expect(event.previous_hash).toBe(all[i - 1]?.hash ?? '0'.repeat(64));
    const read: Event[] = [];
    for (let cursor = ''; cursor !== undefined; ) {
      const page = await bodyOf(call(`/v1/events?limit=100&sort=sequence_number${cursor && `&cursor=${cursor}`}`));
      read.push(...page.data);
      cursor = page.meta.next_cursor ?? undefined;
    }
    expect(read).toEqual(all);
    expect(await verdict(call)).toMatchObject({ status: 'valid', events_checked: 384 });
  }, 60_000);

  it('keeps any JSON as it was posted', async () => {
    const { call } = await app.newTenant();
    // Not by JSON.parse, which may mistake keys with escapes: core/json/escaped-keys.ts.
    // biome-ignore lint/suspicious/noExplicitAny: compared with what is expected
    const read = async (reply: Promise<Response>): Promise<any> => parseJson(await (await reply).text());
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryJsonObject, { minLength: 1, maxLength: 20 }), async (values) => {
        const events = values.map((value) => ({ action: 'a', metadata: value, diff: { after: value } }));
        const { data } = await read(call('/v1/events/batch', { json: { events } }));
        for (const [i, { id }] of data.entries()) {
          const event = (await read(call(`/v1/events/${id}`))).data;
          expect(event).toEqual(data[i]);
          expect(event.metadata).toEqual(values[i]);
          expect(event.diff).toEqual({ before: null, after: values[i] });
        }
      }),
      { numRuns: 15 },
    );
    expect(await verdict(call)).toMatchObject({ status: 'valid' });
  });

  it('keeps __proto__ and constructor as data inside the free-form members', async () => {
    const { call } = await app.newTenant();
    const members = '{"__proto__":{"a":1},"constructor":{"prototype":{"b":2}},"toString":null}';
    const body = `{"action":"a","metadata":${members},"actor":{"meta":${members}},"target":{"meta":${members}},"diff":{"before":${members}},"context":${members}}`;
    const reply = await postText(call, body);
    expect(reply.status).toBe(201);
    const text = await reply.text();
    for (const start of ['"metadata":', '"meta":', '"before":']) expect(text).toContain(`${start}{"__proto__":{"a":1}`);
    expect(text).toContain('"context":{"__proto__":{"a":1},"constructor"');
    expect(Object.prototype).not.toHaveProperty('a');
  });

  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

  it.each([
    ['text with NUL', '{"action":"a","metadata":{"a":"\\u0000"}}', 422, 'metadata.a'],
    ['half of a pair', '{"action":"a","description":"\\ud83d"}', 422, 'description'],
    ['half of a pair in a key', '{"action":"a","metadata":{"\\udc00":1}}', 422, 'metadata.\udc00'],
    ['2^53', '{"action":"a","metadata":{"n":9007199254740992}}', 422, 'metadata.n'],
    ['1e400', '{"action":"a","metadata":{"n":[1e400]}}', 422, 'metadata.n.0'],
    ['65 levels', `{"action":"a","metadata":${nested(64)}}`, 422, `metadata${'.a'.repeat(63)}`],
    ['10,000 levels', `{"action":"a","metadata":${nested(10_000)}}`, 422, ''],
    ['__proto__ among its members', '{"action":"a","__proto__":{"id":"x"}}', 422, '__proto__'],
    ['a misspelt member', '{"acton":"a"}', 422, 'acton'],
    ['a text for an event', '"event"', 422, ''],
    ['a list for an event', '[{"action":"a"}]', 422, ''],
    ['broken JSON', '{"action":"a"', 400, undefined],
    ['nothing', '', 400, undefined],
  ])('refuses %s', async (_name, body, status, path) => {
    const { call } = await app.newTenant();
    const reply = await postText(call, body);
    const problem = await bodyOf(reply);
    expect(reply.status).toBe(status);
    if (path !== undefined) expect(problem.errors.map((e: { path: string }) => e.path)).toContain(path);
    expect(await stored(call)).toEqual([]);
  });

  it.each([
    ['64 levels', `{"action":"a","metadata":${nested(63)}}`],
    ['the numbers at the edge', '{"action":"a","metadata":{"n":[9007199254740991,-9007199254740991,1e21,-0,5e-324]}}'],
    ['line separators, emoji and a byte order mark', '{"action":"\u2028\u2029😀\ufeff","description":"\u0001"}'],
  ])('takes %s', async (_name, body) => {
    const { call } = await app.newTenant();
    const reply = await postText(call, body.replace('\u0001', '\\u0001'));
    expect(reply.status).toBe(201);
    const { data } = await bodyOf(reply);
    expect(data).toMatchObject(JSON.parse(body.replace('\u0001', '\\u0001').replace('-0,', '0,')));
    expect(await verdict(call)).toMatchObject({ status: 'valid', events_checked: 1 });
  });

  it('answers 413 for a body over 1 MiB, 415 for another type, 422 for a query parameter', async () => {
    const { call } = await app.newTenant();
    const large = JSON.stringify({ action: 'a', description: 'x'.repeat(1024 * 1024) });
    expect((await postText(call, large)).status).toBe(413);
    const headers = { 'content-type': 'text/plain' };
    expect((await call('/v1/events', { method: 'POST', body: '{"action":"a"}', headers })).status).toBe(415);
    expect((await call('/v1/events?dry_run=1', { json: { action: 'a' } })).status).toBe(422);
    expect(await stored(call)).toEqual([]);
  });

  it('answers 403 without the scope, 400 for a management key that names no tenant, 404 for an unknown tenant', async () => {
    const reader = await app.newTenant({ scopes: ['events:read'] });
    expect((await post(reader.call, whole)).status).toBe(403);
    expect((await post(app.admin, whole)).status).toBe(400);
    const headers = { 'logferry-tenant': randomUUID() };
    expect((await app.admin('/v1/events', { json: whole, headers })).status).toBe(404);
  });
});

describe('POST /v1/events/batch with JSON', () => {
  it('answers every event to the byte as GET shows it, in any script, many or none', async () => {
    const { call } = await app.newTenant();
    const texts = ['plain', 'Öz', 'Łódź', '東京', '😀', '\u0001"\\', ''];
    const events = Array.from({ length: 250 }, (_, i) => ({
      ...whole,
      description: texts[i % texts.length]!.repeat(i),
    }));
    const reply = await call('/v1/events/batch', { json: { events } });
    expect(reply.status).toBe(201);
    const text = await reply.text();
    const { data } = JSON.parse(text) as { data: Event[] };
    const some = data.filter((_, i) => i < texts.length || i === 249);
    const shown = await Promise.all(some.map(async ({ id }) => (await bodyOf(call(`/v1/events/${id}`))).data));
    expect(shown).toEqual(some);
    const one = await (await call(`/v1/events/${data[248]!.id}`)).text();
    expect(text).toContain(one.slice('{"data":'.length, -1));
    expect(data.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i + 1));
    expect(await (await call('/v1/events/batch', { json: { events: [] } })).text()).toBe('{"data":[]}');
  });

  const batch = (call: Call, events: unknown) => call('/v1/events/batch', { json: { events } });

  it('answers all events in the order given, repeats with what is stored', async () => {
    const { call } = await app.newTenant();
    const id = randomUUID();
    const { data: first } = await bodyOf(post(call, { action: 'first', id }));
    const own = randomUUID();
    const given = [{ action: 'a' }, { action: 'b', id }, { action: 'c', id: own }, { action: 'd', id: own }, whole];
    const reply = await batch(call, given);
    const { data } = await bodyOf(reply);
    expect(reply.status).toBe(201);
    expect(data.map((event: Event) => [event.action, event.sequence_number])).toEqual([
      ['a', 2],
      ['first', 1],
      ['c', 3],
      ['c', 3],
      ['document.shared', 4],
    ]);
    expect(await stored(call)).toEqual([first, data[0], data[2], data[4]]);
  });

  it('takes 1,000 events, and stores none when the 500th is bad', async () => {
    const { call } = await app.newTenant();
    const events = Array.from({ length: 1000 }, (_, i) => ({ action: `a${i}` }) as Record<string, unknown>);
    const bad = await batch(call, events.with(499, { acton: 'x', severity: 1 }));
    expect(bad.status).toBe(422);
    expect((await bodyOf(bad)).errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'events.499.action',
      'events.499.acton',
      'events.499.severity',
    ]);
    expect(await stored(call)).toEqual([]);
    const good = await batch(call, events);
    expect((await bodyOf(good)).data.map((event: Event) => event.action)).toEqual(events.map((event) => event.action));
    expect(await verdict(call)).toMatchObject({ status: 'valid', events_checked: 1000 });
  });

  it('lists at most 100 mistakes', async () => {
    const { call } = await app.newTenant();
    const { errors } = await bodyOf(batch(call, Array(1000).fill({})));
    expect(errors).toHaveLength(100);
  });

  it.each([
    [{ events: Array(1001).fill({ action: 'a' }) }, 'events', 'at most 1000'],
    [{ events: { action: 'a' } }, 'events', 'list of events'],
    [{}, 'events', 'list of events'],
    [{ evnts: [] }, 'evnts', 'did you mean "events"?'],
    [{ events: [null] }, 'events.0', 'JSON object'],
    [[{ action: 'a' }], '', 'JSON object'],
  ])('refuses a body that is no batch (%#)', async (json, path, message) => {
    const { call } = await app.newTenant();
    const reply = await call('/v1/events/batch', { json });
    expect(reply.status).toBe(422);
    expect((await bodyOf(reply)).errors).toContainEqual({ path, message: expect.stringContaining(message) });
  });

  it('takes up to 16 MiB and answers 413 for more', async () => {
    const { call } = await app.newTenant();
    const events = (mebibytes: number) =>
      Array.from({ length: mebibytes }, () => ({ action: 'a', description: 'x'.repeat(1024 * 1024 - 1000) }));
    expect((await batch(call, events(15))).status).toBe(201);
    expect((await batch(call, events(17))).status).toBe(413);
    expect((await bodyOf(call('/v1/events/batch', { json: { events: [] } }))).data).toEqual([]);
  });

  it('answers 422 for an event of more than a mebibyte, or of too many members, and for an action of ours', async () => {
    const { call } = await app.newTenant();
    const members = Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`m${index}`, 1]));
    const bad = [
      { action: 'a', description: 'x'.repeat(1024 * 1024) },
      { action: 'a', metadata: members },
      { action: 'logferry.export.created' },
    ];
    for (const [index, event] of bad.entries()) {
      const reply = await batch(call, [{ action: 'fine' }, event]);
      expect(reply.status).toBe(422);
      const { errors } = await bodyOf(reply);
      expect(errors).toEqual([
        {
          path: index === 2 ? 'events.1.action' : 'events.1',
          message: expect.stringMatching([/1048576 bytes/, /more than 20000 members/, /reserved/][index]!),
        },
      ]);
    }
    expect(await stored(call)).toEqual([]);
  });

  it('takes an empty batch and stores nothing', async () => {
    const { call } = await app.newTenant();
    const reply = await batch(call, []);
    expect([reply.status, await bodyOf(reply)]).toEqual([201, { data: [] }]);
  });
});

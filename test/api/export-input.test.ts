import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, bodyOf, type Call, startApp } from './start-app.ts';

const columns = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `metadata.c${i}` }));

/** A request, the path of its mistake, and what its message must say. */
const refused: [string, object, string, RegExp][] = [
  ['no format', {}, 'format', /required.*csv, json, ndjson/],
  ['a misspelt format', { format: 'ndjsom' }, 'format', /did you mean "ndjson"/],
  ['an unknown member', { format: 'csv', colums: [] }, 'colums', /unknown member "colums"/],
  ['a misspelt member', { format: 'csv', propertys: [] }, 'propertys', /did you mean "properties"/],
  ['__proto__ as a member', JSON.parse('{"format": "csv", "__proto__": {}}'), '__proto__', /unknown member/],
  ['a wrong compression', { format: 'csv', compression: 'zip' }, 'compression', /none, gzip, zstd/],
  ['a filter that is no object', { format: 'csv', filter: 'action' }, 'filter', /object/],
  ['a filter that is a list', { format: 'csv', filter: [] }, 'filter', /object/],
  [
    'a filter that names no field',
    { format: 'csv', filter: { actions: 'x' } },
    'filter.actions',
    /did you mean "action"/,
  ],
  ['an empty action', { format: 'csv', filter: { action: '' } }, 'filter.action', /empty/],
  ['an empty list of actions', { format: 'csv', filter: { action: [] } }, 'filter.action', /1 to 1000/],
  ['a number as actor', { format: 'csv', filter: { actor_id: 5 } }, 'filter.actor_id', /text/],
  ['a misspelt severity', { format: 'csv', filter: { severity: 'Hihg' } }, 'filter.severity', /did you mean "High"/],
  [
    'a misspelt severity in a list',
    { format: 'csv', filter: { severity: ['High', 'Lo'] } },
    'filter.severity.1',
    /Info, Medium/,
  ],
  ['a time that is none', { format: 'csv', filter: { from: 'yesterday' } }, 'filter.from', /RFC 3339/],
  ['a day that does not exist', { format: 'csv', filter: { to: '2025-02-30' } }, 'filter.to', /RFC 3339/],
  ['a number as time', { format: 'csv', filter: { from: 1735689600 } }, 'filter.from', /text/],
  ['a from after to', { format: 'csv', filter: { from: '2025-02-01', to: '2025-01-01' } }, 'filter.from', /after "to"/],
  [
    'a from just after to',
    { format: 'csv', filter: { from: '2025-01-01T00:00:00.000001Z', to: '2025-01-01T01:00:00+01:00' } },
    'filter.from',
    /after/,
  ],
  [
    'sequences the wrong way',
    { format: 'csv', filter: { after_sequence: 5, through_sequence: 4 } },
    'filter.after_sequence',
    /through_sequence/,
  ],
  ['a sort by the proof', { format: 'csv', sort: [{ field: 'proof' }] }, 'sort.0.field', /has no order/],
  [
    'a path with a NUL character',
    { format: 'csv', properties: [{ name: 'metadata["\\u0000"]' }] },
    'properties.0.name',
    /not a path/,
  ],
  [
    'a sort by half of a surrogate pair',
    { format: 'csv', sort: [{ field: 'metadata.\ud800' }] },
    'sort.0.field',
    /surrogate/,
  ],
  ['a negative sequence', { format: 'csv', filter: { after_sequence: -1 } }, 'filter.after_sequence', /negative/],
  [
    'an unknown operator',
    { format: 'csv', filter: { metadata: { a: { $gth: 1 } } } },
    'filter.metadata.a.$gth',
    /did you mean "\$gt/,
  ],
  [
    '__proto__ as an operator',
    { format: 'csv', filter: { metadata: { a: JSON.parse('{"__proto__": 1}') } } },
    'filter.metadata.a.__proto__',
    /unknown operator/,
  ],
  ['no operator', { format: 'csv', filter: { metadata: { a: {} } } }, 'filter.metadata.a', /no operator/],
  ['a list as criterion', { format: 'csv', filter: { metadata: { a: [1] } } }, 'filter.metadata.a', /\$in/],
  [
    'an operand of the wrong kind',
    { format: 'csv', filter: { metadata: { a: { $exists: 'yes' } } } },
    'filter.metadata.a.$exists',
    /true or false/,
  ],
  ['an empty $in', { format: 'csv', filter: { metadata: { a: { $in: [] } } } }, 'filter.metadata.a.$in', /list/],
  [
    'a metadata path that is none',
    { format: 'csv', filter: { metadata: { 'a..b': 1 } } },
    'filter.metadata.a..b',
    /not a path/,
  ],
  ['NUL in a filter', { format: 'csv', filter: { search: 'a\0b' } }, 'filter.search', /NUL/],
  ['NUL in criteria', { format: 'csv', filter: { metadata: { a: 'x\0' } } }, 'filter.metadata.a', /./],
  [
    'criteria on 101 paths',
    { format: 'csv', filter: { metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`p${i}`, 1])) } },
    'filter.metadata',
    /at most 100 paths/,
  ],
  ['101 columns', { format: 'csv', properties: columns(101) }, 'properties', /at most 100/],
  ['properties that are no list', { format: 'csv', properties: {} }, 'properties', /list/],
  ['a column that is a text', { format: 'csv', properties: ['action'] }, 'properties.0', /displayName/],
  [
    'duplicate display names',
    {
      format: 'csv',
      properties: [
        { name: 'id', displayName: 'X' },
        { name: 'action', displayName: 'X' },
      ],
    },
    'properties.1.displayName',
    /column 0/,
  ],
  [
    'a display name like another name',
    { format: 'csv', properties: [{ name: 'id' }, { name: 'action', displayName: 'id' }] },
    'properties.1.displayName',
    /differ/,
  ],
  [
    'the same column twice',
    { format: 'csv', properties: [{ name: 'id' }, { name: 'id' }] },
    'properties.1.displayName',
    /differ/,
  ],
  [
    'an unknown fixed field',
    { format: 'csv', properties: [{ name: 'actor.mail' }] },
    'properties.0.name',
    /did you mean "actor\.email"/,
  ],
  [
    '__proto__ as a column',
    { format: 'csv', properties: [{ name: '__proto__' }] },
    'properties.0.name',
    /unknown field "__proto__"/,
  ],
  [
    'constructor as a column',
    { format: 'csv', properties: [{ name: 'constructor' }] },
    'properties.0.name',
    /unknown field/,
  ],
  ['a path into a text', { format: 'csv', properties: [{ name: 'action.x' }] }, 'properties.0.name', /unknown field/],
  ['a broken path', { format: 'csv', properties: [{ name: 'metadata.a[' }] }, 'properties.0.name', /not a path/],
  [
    'a misspelt member of a column',
    { format: 'csv', properties: [{ name: 'id', displayname: 'X' }] },
    'properties.0.displayname',
    /did you mean "displayName"/,
  ],
  [
    'an empty display name',
    { format: 'csv', properties: [{ name: 'id', displayName: '' }] },
    'properties.0.displayName',
    /empty/,
  ],
  ['NUL in a column', { format: 'csv', properties: [{ name: 'metadata.a\0' }] }, 'properties.0.name', /NUL/],
  [
    'NUL in a display name',
    { format: 'csv', properties: [{ name: 'id', displayName: 'a\0' }] },
    'properties.0.displayName',
    /NUL/,
  ],
  [
    'an unknown sort field',
    { format: 'csv', sort: [{ field: 'occured_at' }] },
    'sort.0.field',
    /did you mean "occurred_at"/,
  ],
  [
    'a wrong direction',
    { format: 'csv', sort: [{ field: 'id', direction: 'descending' }] },
    'sort.0.direction',
    /asc, desc/,
  ],
  ['a sort that is a text', { format: 'csv', sort: '-occurred_at' }, 'sort', /list/],
  ['a slash in the file name', { format: 'csv', file_name: 'a/b' }, 'file_name', /neither \/ nor/],
  ['a backslash in the file name', { format: 'csv', file_name: 'a\\b' }, 'file_name', /neither/],
  ['a line break in the file name', { format: 'csv', file_name: 'a\r\nb' }, 'file_name', /printable/],
  ['an empty file name', { format: 'csv', file_name: '' }, 'file_name', /empty/],
  ['151 characters of file name', { format: 'csv', file_name: '😀'.repeat(151) }, 'file_name', /150/],
  ['an unknown CSV option', { format: 'csv', csv: { headers: true } }, 'csv.headers', /did you mean "header"/],
  ['a wrong delimiter', { format: 'csv', csv: { delimiter: '::' } }, 'csv.delimiter', /delimiter/],
  ['a text for a boolean', { format: 'csv', csv: { bom: 'yes' } }, 'csv.bom', /true or false/],
  ['a null text with a delimiter', { format: 'csv', csv: { null: 'a,b' } }, 'csv.null', /delimiter/],
  ['CSV options of JSON', { format: 'json', csv: {} }, 'csv', /"csv"/],
  ['a webhook without URL', { format: 'csv', webhook: {} }, 'webhook.url', /URL/],
  ['a webhook that is no URL', { format: 'csv', webhook: { url: 'hook' } }, 'webhook.url', /URL/],
  ['a webhook over http', { format: 'csv', webhook: { url: 'http://example.com/' } }, 'webhook.url', /https/],
  ['a webhook to loopback', { format: 'csv', webhook: { url: 'https://127.0.0.1/' } }, 'webhook.url', /public/],
  [
    'a short webhook secret',
    { format: 'csv', webhook: { url: 'https://192.0.2.1/', secret: 'whsec_AAAA' } },
    'webhook.secret',
    /whsec_/,
  ],
  [
    'a number as secret',
    { format: 'csv', webhook: { url: 'https://192.0.2.1/', secret: 5 } },
    'webhook.secret',
    /text/,
  ],
  [
    'an unknown member of the webhook',
    { format: 'csv', webhook: { uri: 'https://192.0.2.1/' } },
    'webhook.uri',
    /unknown member/,
  ],
];

describe('Bad input of POST /v1/exports', () => {
  let app: App;
  let call: Call;
  beforeAll(async () => {
    app = await startApp();
    call = (await app.newTenant()).call;
  });
  afterAll(async () => {
    const { rows } = await app.database.pool.query(
      'select (select count(*) from exports) + (select count(*) from events) as n',
    );
    await app.close();
    expect(rows[0].n).toBe('0');
  });

  it.each(refused)('is refused with 422 for %s', async (_what, json, path, message) => {
    const reply = await call('/v1/exports', { json });
    expect(reply.status).toBe(422);
    expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const body = await bodyOf(reply);
    expect(body).toMatchObject({ status: 422, error: { type: 'validation_error' }, request_id: expect.any(String) });
    expect(body.errors).toContainEqual({ path, message: expect.stringMatching(message) });
    // An estimate is of the same body, so it tells of the same mistakes.
    const estimate = await call('/v1/exports/estimate', { json });
    expect(estimate.status).toBe(422);
    expect((await bodyOf(estimate)).errors).toEqual(body.errors);
  });

  it('names every mistake at once', async () => {
    const json = { format: 'xml', filter: { foo: 1, severity: 'x' }, properties: [{ name: 'foo' }] };
    const { errors } = await bodyOf(call('/v1/exports', { json }));
    const paths = errors.map((error: { path: string }) => error.path);
    expect(paths).toEqual(expect.arrayContaining(['format', 'filter.foo', 'filter.severity', 'properties.0.name']));
  });

  const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    call('/v1/exports', { method: 'POST', body, headers });

  it.each([
    ['{"format": "csv"', 400, 'bad_request'],
    ['', 400, 'bad_request'],
    ['{"format": "csv",}', 400, 'bad_request'],
    ['null', 422, 'validation_error'],
    ['[]', 422, 'validation_error'],
    ['"csv"', 422, 'validation_error'],
    [`{"format": "csv", "filter": {"after_sequence": 9007199254740993}}`, 422, 'validation_error'],
    [`{"format": "csv", "filter": {"metadata": {"a": 1e999}}}`, 422, 'validation_error'],
    [`{"format": "csv", "filter": {"search": "\\ud800"}}`, 422, 'validation_error'],
    [`{"format": "csv", "properties": [{"name": "metadata.\\ud800"}]}`, 422, 'validation_error'],
    [`{"format": "csv", "file_name": "\\ud800"}`, 422, 'validation_error'],
    ['['.repeat(100), 422, 'validation_error'],
  ])('answers %j with %i %s', async (body, status, type) => {
    const reply = await post(body);
    expect([reply.status, (await bodyOf(reply)).error.type]).toEqual([status, type]);
  });

  it('answers 413 for a body of 20 MB, and 415 for one that is no JSON', async () => {
    const large = await post(JSON.stringify({ format: 'csv', file_name: 'x'.repeat(20_000_000) }));
    expect([large.status, (await bodyOf(large)).error.type]).toEqual([413, 'payload_too_large']);
    const text = await post('format=csv', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([text.status, (await bodyOf(text)).error.type]).toEqual([415, 'unsupported_media_type']);
  });
});

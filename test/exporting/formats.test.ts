import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNewEvent } from '../../core/events/new-event.ts';
import { type CsvOptions, compressions, exportRequestSchema, formats } from '../../core/exports/exports.ts';
import { csvLine } from '../../core/exports/formats/csv.ts';
import { parseJson } from '../../core/json/json.ts';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { arbitraryEvent } from '../core/events/arbitrary-event.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';

/** Cells that have broken some writer or reader of CSV. */
const nasty = [
  '',
  ' ',
  '  both sides  ',
  '"',
  '""',
  '"quoted"',
  ',',
  ';',
  '|',
  '\t',
  '\r',
  '\n',
  '\r\n',
  'a\rb',
  'a\nb',
  'a\r\nb',
  '\n\n',
  '\\.',
  '\\',
  '\\N',
  '\\"',
  "'",
  "'=1",
  "''=1",
  `"'=1`,
  `",'=1`,
  `'"=1"`,
  '=1+1',
  '+1',
  '-1',
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  '\n=1',
  '＝1',
  '＋1',
  '－1',
  '＠1',
  'NULL',
  'null',
  'n/a',
  '\ufeff',
  '\ufeffbom',
  '\u2028',
  '\u0085',
  '\x01\x02\x03',
  '\x7f',
  '😀',
  'e\u0301',
  '#comment',
  '0012',
  '1e5',
  'true',
  '$1',
  '%s',
  `'; drop table events; --`,
];
const hostileText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...nasty) },
  fc.array(fc.constantFrom(...nasty, 'a', 'é', '𐀀'), { maxLength: 5 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll('\0', '').toWellFormed()),
);
const cell = fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 4, arbitrary: hostileText });

type Row = { name: string | null; description: string | null; note: string | null };

const csvOptions: fc.Arbitrary<CsvOptions> = fc.record({
  delimiter: fc.constantFrom(',', ';', '\t', '|'),
  bom: fc.boolean(),
  header: fc.boolean(),
  line_ending: fc.constantFrom('crlf', 'lf'),
  null: fc.constantFrom('', '', 'NULL', '\\N', 'n/a', "'"),
  formulas: fc.constantFrom('keep', 'neutralize'),
});

/** What the contract calls the first character of a formula. */
const isFormula = (text: string) => {
  const visible = text.replace(/^[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]+/u, '');
  return '=+-@﹢﹣﹦﹫＋－＝＠'.includes(visible[0] ?? '?') || '\t\r\n'.includes(text[0] ?? '?');
};

/** All records as cells; a cell that is not quoted and has the null text is null. */
function readCsv(bytes: Buffer, options: CsvOptions): (string | null)[][] {
  return parse(bytes, {
    bom: options.bom,
    delimiter: options.delimiter,
    record_delimiter: options.line_ending === 'crlf' ? '\r\n' : '\n',
    relax_column_count: false,
    cast: (value, { quoting }) => (!quoting && value === options.null ? null : value),
  }) as unknown as (string | null)[][];
}

describe('The file of an export', () => {
  let app: Exporting;
  beforeAll(async () => {
    app = await startExporting();
  });
  afterAll(() => app.close());

  const withEvents = async (events: readonly unknown[]): Promise<Call> => {
    const { call, tenant } = await app.newTenant();
    await addEvents(app.database, tenant.id, events);
    // Exports are audited: none of what comes after the events is of interest here.
    return (path, init) => {
      const json = init?.json as { filter?: object } | undefined;
      const filter = { through_sequence: events.length, ...json?.filter };
      return call(path, json ? { ...init, json: { ...json, filter } } : init);
    };
  };

  describe('as CSV', () => {
    const rows: Row[] = [
      ...nasty.map((text) => ({ name: text, description: text, note: text })),
      { name: null, description: null, note: null },
      { name: '"\r\n,'.repeat(250), description: `"${'x,\r\n"'.repeat(60_000)}`, note: '='.repeat(400_000) },
      ...[
        '\u00a0=1',
        '\u200b+1',
        '\u202e-1',
        '\ufeff@x',
        ' \u3000＝1',
        '\u0085﹦1',
        '\u{e0020}=1',
        '\u2028\u00ad-2',
        ' x=1',
      ].map((text) => ({ name: text, description: text, note: text })),
      ...fc.sample(fc.record<Row>({ name: cell, description: cell, note: cell }), { numRuns: 300, seed: 20251122 }),
    ];
    let call: Call;
    beforeAll(async () => {
      call = await withEvents(
        rows.map(({ name, description, note }) => ({ action: 'a', actor: { name }, description, metadata: { note } })),
      );
    });

    it('reads back cell by cell, and is byte for byte what csv-stringify writes', async () => {
      const property = fc.asyncProperty(
        csvOptions,
        fc.subarray(['actor.name', 'description', 'metadata.note'], { minLength: 1 }),
        async (csv, names) => {
          const properties = names.map((name) => ({ name }));
          const { bytes, view } = await exportFile(call, { format: 'csv', properties, csv });
          const given = rows.map((row) => {
            const byName: Record<string, string | null> = {
              'actor.name': row.name,
              description: row.description,
              'metadata.note': row.note,
            };
            return names.map((name) => byName[name]!);
          });
          const defused = (text: string | null) =>
            csv.formulas === 'neutralize' && text !== null && isFormula(text) ? `'${text}` : text;
          const expected = [
            ...(csv.header ? [names as (string | null)[]] : []),
            ...given.map((row) => row.map(defused)),
          ];
          expect(view.rows).toBe(rows.length);
          const altered = given.flat().filter((text) => text !== null && isFormula(text)).length;
          expect(view.neutralized_cells).toBe(csv.formulas === 'neutralize' ? altered : null);
          const stringified = (csv.bom ? '\ufeff' : '') + expected.map((row) => csvLine(row, { csv })).join('');
          expect(firstDifference(bytes.toString(), stringified)).toBeUndefined();
          const read = readCsv(bytes, csv);
          expect(read.length).toBe(expected.length);
          for (const [index, row] of expected.entries()) expect(read[index]).toEqual(row);
        },
      );
      await fc.assert(property, { numRuns: 30, seed: 7, endOnFailure: true });
    }, 60_000);

    it('has CRLF, a header and no BOM unless told otherwise', async () => {
      const { text, bytes } = await exportFile(call, {
        format: 'csv',
        properties: [{ name: 'action' }],
        filter: { through_sequence: 2 },
      });
      expect(text).toBe('action\r\na\r\na\r\n');
      const bom = await exportFile(call, { format: 'csv', properties: [{ name: 'action' }], csv: { bom: true } });
      expect([bytes[0], bom.bytes.subarray(0, 3).toString('hex')]).toEqual([0x61, 'efbbbf']);
    });

    it('keeps formulas by default, and defuses texts alone when asked to, headers included', async () => {
      const tenant = await withEvents([
        { action: '=action', metadata: { number: -5, text: '-5', list: ['=1'], safe: 'a=1' }, description: ' =1' },
      ]);
      const properties = [
        { name: 'action', displayName: '=Action' },
        { name: 'metadata.number', displayName: '+Number' },
        { name: 'metadata.text', displayName: '＠Text' },
        { name: 'metadata.list' },
        { name: 'metadata.list[0]', displayName: '@x' },
        { name: 'metadata.safe' },
        { name: 'description' },
        { name: 'metadata.none' },
      ];
      const read = async (csv: { formulas: 'keep' | 'neutralize'; header?: false }) => {
        const { bytes, view } = await exportFile(tenant, { format: 'csv', compression: 'none', properties, csv });
        return { cells: parse(bytes) as string[][], neutralized: view.neutralized_cells };
      };
      const kept = await read({ formulas: 'keep' });
      expect(kept.neutralized).toBeNull();
      expect(kept.cells).toEqual([
        ['=Action', '+Number', '＠Text', 'metadata.list', '@x', 'metadata.safe', 'description', 'metadata.none'],
        ['=action', '-5', '-5', '["=1"]', '=1', 'a=1', ' =1', ''],
      ]);
      const neutralized = await read({ formulas: 'neutralize' });
      expect(neutralized.neutralized).toBe(8);
      expect((await read({ formulas: 'neutralize', header: false })).neutralized).toBe(4);
      expect(neutralized.cells).toEqual([
        [`'=Action`, `'+Number`, `'＠Text`, 'metadata.list', `'@x`, 'metadata.safe', 'description', 'metadata.none'],
        [`'=action`, '-5', `'-5`, '["=1"]', `'=1`, 'a=1', `' =1`, ''],
      ]);
    });

    it('has the columns of the contract when none are chosen', async () => {
      const { text } = await exportFile(call, { format: 'csv', filter: { through_sequence: 1 } });
      expect(text.split('\r\n')[0]).toBe(
        'id,sequence_number,occurred_at,received_at,action,severity,actor.id,actor.type,actor.name,actor.email,actor.meta,' +
          'target.type,target.id,target.meta,context.ip,context.user_agent,context,description,diff,metadata,hash,previous_hash',
      );
    });
  });

  it('has the same rows as JSON, NDJSON and CSV, and they are the events that were posted', async () => {
    const inputs = fc.sample(arbitraryEvent, { numRuns: 250, seed: 42 });
    const call = await withEvents(inputs);
    const sort = [{ field: 'sequence_number' }];
    const [json, ndjson, csv] = await Promise.all(formats.map((format) => exportFile(call, { format, sort })).reverse())
      .then((files) => files.reverse())
      .then(([csv, json, ndjson]) => [json!, ndjson!, csv!] as const);
    const events = parseJson(json.text) as Record<string, unknown>[];
    expect(ndjson.text.endsWith('\n')).toBe(true);
    const lines = ndjson.text.slice(0, -1).split('\n');
    expect(lines.map((line) => parseJson(line))).toEqual(events);
    expect(events.length).toBe(inputs.length);
    const records = parse(csv.bytes, { columns: true }) as Record<string, string>[];
    expect(records.length).toBe(events.length);
    for (const [index, event] of events.entries()) {
      const read = readNewEvent({ ...inputs[index], occurred_at: event.occurred_at });
      if ('errors' in read) throw new Error(JSON.stringify(read.errors));
      const given = read.event;
      expect(event).toMatchObject({ sequence_number: index + 1, action: given.action, severity: given.severity });
      const { occurred_at } = inputs[index]!;
      if (occurred_at) expect(event.occurred_at).toBe(String(occurred_at).replace('Z', '000Z'));
      expect(event.metadata).toEqual(parseJson(given.metadata));
      expect(event.context).toEqual(parseJson(given.context));
      expect(event.diff).toEqual(given.diff && parseJson(given.diff));
      expect(event.description).toBe(given.description);
      expect((event.actor as { meta: unknown }).meta).toEqual(given.actor_meta && parseJson(given.actor_meta));
      for (const [name, text] of Object.entries(records[index]!))
        expect(readCell(text)).toEqual(readCell(asCell(event, name)));
    }
    const listed = (await bodyOf(call(`/v1/events?limit=100&sort=sequence_number`))).data;
    expect(events.slice(0, 100)).toEqual(listed);
  });

  it('has chosen columns as flat rows, the same in each format', async () => {
    const call = await withEvents([
      {
        action: 'x',
        metadata: {
          list: ['zero', { deep: 1 }],
          'a.b': { c: true },
          'q"]': 'odd',
          '7': 'seven',
          n: 1.5,
          e: '',
          z: null,
        },
        target: { type: 't', id: 'i', meta: { k: [] } },
        diff: { before: { a: 1 }, after: [1, null] },
      },
      { action: 'y', metadata: { list: { '0': 'key' } }, occurred_at: '2024-06-01T00:00:00.123456Z' },
    ]);
    const properties = [
      { name: 'action', displayName: 'What' },
      { name: 'metadata.list[0]' },
      { name: 'metadata.list[1].deep', displayName: 'deep' },
      { name: 'metadata.list["0"]' },
      { name: 'metadata["a.b"].c' },
      { name: 'metadata["q\\"]"]' },
      { name: 'metadata.7' },
      { name: 'metadata.n' },
      { name: 'metadata.e' },
      { name: 'metadata.z' },
      { name: 'metadata.none.of.this[3]' },
      { name: 'metadata.list' },
      { name: 'target' },
      { name: 'target.meta.k' },
      { name: 'diff.after' },
      { name: 'diff.before.a' },
      { name: 'occurred_at', displayName: 'When' },
      { name: 'created_at', displayName: '__proto__' },
    ];
    const sort = [{ field: 'sequence_number' }];
    const json = await exportFile(call, { format: 'json', properties, sort });
    const [first, second] = JSON.parse(json.text);
    const times = [first.When, Object.values(first).at(-1), Object.values(second).at(-1)];
    for (const time of times) expect(time).toMatch(/^\d{4}-.*\.\d{6}Z$/);
    expect(Object.keys(first)).toEqual(properties.map(({ name, displayName }) => displayName ?? name));
    expect(Object.values(first)).toEqual([
      'x',
      'zero',
      1,
      null,
      true,
      'odd',
      'seven',
      1.5,
      '',
      null,
      null,
      ['zero', { deep: 1 }],
      { type: 't', id: 'i', meta: { k: [] } },
      [],
      [1, null],
      1,
      times[0],
      times[1],
    ]);
    const none = null;
    expect(Object.values(second)).toEqual([
      ...['y', none, none, 'key', none, none, none, none, none, none, none, { '0': 'key' }, none, none, none, none],
      ...['2024-06-01T00:00:00.123456Z', times[2]],
    ]);
    const ndjson = await exportFile(call, { format: 'ndjson', properties, sort });
    expect(
      ndjson.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([first, second]);
    const csv = await exportFile(call, { format: 'csv', properties, sort });
    const quotes = { ...exportRequestSchema.parse({ format: 'csv', csv: {} }).csv! };
    expect(readCsv(csv.bytes, quotes)).toEqual([
      Object.keys(first),
      ...[first, second].map((row) => Object.values(row).map((value) => cellOf(value))),
    ]);
  });

  it('has its times in UTC to the microsecond, whatever the zone of the database', async () => {
    const zoned = await startExporting({}, { worker: false });
    try {
      const name = new URL(zoned.databaseUrl).pathname.slice(1);
      await zoned.database.pool.query(`alter database "${name}" set timezone to 'Asia/Kolkata'`);
      await zoned.database.pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
        [name],
      );
      const { call, tenant } = await zoned.newTenant();
      const occurred_at = '2025-03-30T01:59:59.999999Z';
      await addEvents(zoned.database, tenant.id, [{ action: 'a', occurred_at }]);
      await zoned.work();
      for (const format of formats) {
        const filter = { from: occurred_at, to: '2025-03-30T03:59:59.999999+02:00' };
        const { text, view } = await exportFile(call, { format, properties: [{ name: 'occurred_at' }], filter });
        expect(text).toContain(occurred_at);
        expect(Math.abs(Date.parse(view.as_of) - Date.now())).toBeLessThan(60_000);
        const listed = await bodyOf(call(`/v1/events?${new URLSearchParams(filter)}`));
        expect(listed.data.map((event: { occurred_at: string }) => event.occurred_at)).toEqual([occurred_at]);
      }
      // A day begins at midnight UTC, which is half past five there.
      const other = await zoned.newTenant();
      const midnight = new Date().setUTCHours(0, 0, 0, 0);
      const events = [midnight - 1, midnight].map((at) => ({ action: 'a', occurred_at: new Date(at).toISOString() }));
      await addEvents(zoned.database, other.tenant.id, events);
      const headers = { 'frontegg-tenant-id': other.tenant.id };
      expect(await bodyOf(zoned.admin('/audits/stats', { headers }))).toMatchObject({ totalToday: 1 });
    } finally {
      await zoned.close();
    }
  });

  it('has a hundred columns, and titles that would break a statement or an object', async () => {
    const call = await withEvents([
      { action: 'x', metadata: Object.fromEntries(columnNumbers.map((i) => [`c${i}`, i])) },
    ]);
    const titles = [
      '__proto__',
      'constructor',
      `'; drop table exports; --`,
      '"',
      'a,b;c|d\te',
      'line\r\nbreak',
      '\\',
      "\\'",
      '$1',
      '%s',
      '😀',
      '\u2028',
      ' ',
      '\\.',
      'ÿ'.repeat(256),
    ];
    const properties = columnNumbers.map((i) => ({ name: `metadata.c${i}`, displayName: titles[i] ?? `Column ${i}` }));
    const { text } = await exportFile(call, { format: 'json', properties });
    const [row] = JSON.parse(text);
    expect(Object.entries(row)).toEqual(properties.map(({ displayName }, i) => [displayName, i]));
    const csv = await exportFile(call, { format: 'csv', properties });
    expect(parse(csv.bytes)).toEqual([properties.map((each) => each.displayName), columnNumbers.map(String)]);
  });

  it('never parses as JSON when it is cut', async () => {
    const call = await withEvents([{ action: 'a' }, { action: 'b', description: 'ü😀' }]);
    for (const properties of [[], [{ name: 'description' }]]) {
      const { bytes } = await exportFile(call, { format: 'json', properties });
      expect(JSON.parse(bytes.toString())).toHaveLength(2);
      for (let end = 0; end < bytes.length; end++) {
        expect(() => JSON.parse(bytes.subarray(0, end).toString())).toThrow();
      }
    }
  });

  describe.each(formats)('of no rows as %s', (format) => {
    it.each(compressions)('is a valid, empty file with compression %s', async (compression) => {
      const call = await withEvents([{ action: 'a' }]);
      const request = { format, compression, properties: [{ name: 'id' }] };
      for (const filter of [{ action: 'b' }, { after_sequence: 1 }, { to: '1999-01-01' }]) {
        const { text, view } = await exportFile(call, { ...request, filter });
        expect([text, view.rows]).toEqual([{ csv: 'id\r\n', json: '[]', ndjson: '' }[format], 0]);
      }
      if (format !== 'csv') return;
      const bare = await exportFile(call, { ...request, filter: { action: 'b' }, csv: { header: false } });
      expect(bare.text).toBe('');
    });
  });

  it.each([
    ['csv', 'none', 'text/csv; charset=utf-8'],
    ['json', 'none', 'application/json'],
    ['ndjson', 'none', 'application/x-ndjson'],
    ['csv', 'gzip', 'application/gzip'],
    ['ndjson', 'zstd', 'application/zstd'],
  ])('is served as %s/%s with the type %s and no Content-Encoding', async (format, compression, type) => {
    const call = await withEvents([{ action: 'a' }]);
    const { view } = await exportFile(call, { format, compression });
    const { headers } = await fetch(view.download_url!);
    expect([headers.get('content-type'), headers.get('content-encoding')]).toEqual([type, null]);
  });

  it.each([
    'a"b;c%41\'d',
    '文件 😀 naïve',
    'rtl\u202Egpj.exe',
    ' spaces ',
    '..',
    '.htaccess',
    'CON',
    '=cmd',
    '<script>',
    'x'.repeat(150),
  ])('named %j arrives under its name, by a header of plain ASCII', async (file_name) => {
    const call = await withEvents([]);
    const { view } = await exportFile(call, { format: 'csv', file_name });
    expect(view.file_name).toBe(`${file_name}.csv`);
    const header = (await fetch(view.download_url!)).headers.get('content-disposition')!;
    expect(header).toMatch(
      /^attachment; filename="[^"\\%/\x00-\x1f\x7f-\uffff]+"; filename\*=UTF-8''[\w!#$&+.^`|~%-]+$/,
    );
    const extended = decodeURIComponent(header.split(`UTF-8''`)[1]!);
    expect(extended).toBe(`${file_name}.csv`.replaceAll('\u202E', '').trim());
  });
});

const columnNumbers = Array.from({ length: 100 }, (_, i) => i);

/** A JSON value as a CSV cell. */
const cellOf = (value: unknown): string | null =>
  value === null ? null : typeof value === 'object' ? JSON.stringify(value) : String(value);

/** The cell of one of the columns that a CSV has by itself, as text; null is the empty text. */
function asCell(event: Record<string, unknown>, name: string): string {
  const value = name
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null)?.[key] ?? null, event);
  return cellOf(value) ?? '';
}

/** A JSON cell as the value it holds: JavaScript has its own order of members whose names are numbers. */
const readCell = (text: string): unknown => (/^[{[]/.test(text) && isJson(text) ? JSON.parse(text) : text);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where two long texts part, with what is around; a diff of megabytes helps nobody. */
function firstDifference(left: string, right: string): string | undefined {
  if (left === right) return undefined;
  let at = 0;
  while (left[at] === right[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 40), at + 40));
  return `at ${at}: ${around(left)} instead of ${around(right)}`;
}

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { severities } from '../../core/events/events.ts';
import type { Criteria, Filter, Scalar } from '../../core/events/filter.ts';
import { addEvents } from '../add-events.ts';
import type { Call } from '../api/start-app.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';

type Json = Scalar | Json[] | { [key: string]: Json };
type Posted = {
  action: string;
  severity: string;
  actor: { id: string | null; email: string | null; name: string | null };
  target: { type: string | null; id: string | null };
  context: { ip: string | null };
  description: string | null;
  occurred_at: string;
  metadata: { [key: string]: Json };
};

// Few values, so that what is asked for is often there, and much that is nearly the same.
const actions = [
  'user.login',
  'user.logout',
  'user',
  'User.Login',
  'file.read',
  'a%b',
  'a_b',
  'axb',
  'a\\b',
  'user.login.failed',
];
const names = ['Ann', 'ann', 'Émile', '100%', 'a_b', 'back\\slash', 'x y', "o'hara"];
const ids = ['1', '2', '01', 'A', 'a', ''];
const seconds = ['00', '01', '02', '03'];
const times = seconds.flatMap((s) => [`2025-01-01T00:00:${s}.000000Z`, `2025-01-01T00:00:${s}.000001Z`]);
const scalars: Scalar[] = [
  null,
  true,
  false,
  0,
  1,
  1.5,
  -1,
  1000,
  1e21,
  '',
  '1',
  'a',
  'A',
  'ä',
  'true',
  'null',
  'zz',
  '\\',
];
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 3 });
const scalar = fc.constantFrom(...scalars);
const nested: fc.Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 2 }),
  fc.record({ a: scalar }),
  fc.record({ '0': scalar, '+1': scalar }),
  fc.array(fc.record({ a: scalar }), { maxLength: 2 }),
);

const posted: fc.Arbitrary<Posted> = fc.record({
  action: fc.constantFrom(...actions),
  severity: fc.constantFrom(...severities),
  actor: fc.record({
    id: maybe(fc.constantFrom(...ids)),
    email: maybe(fc.constantFrom('a@example.com', 'b@example.com')),
    name: maybe(fc.constantFrom(...names)),
  }),
  target: fc.record({ type: maybe(fc.constantFrom('file', 'role')), id: maybe(fc.constantFrom(...ids)) }),
  context: fc.record({ ip: maybe(fc.constantFrom('192.0.2.1', '2001:db8::1')) }),
  description: maybe(fc.constantFrom(...names)),
  occurred_at: fc.constantFrom(...times),
  metadata: fc.record({ k: nested, 'a.b': nested, deep: fc.record({ k: nested }) }, { requiredKeys: [] }),
});

/** Paths as they are written, and as they are walked. */
const paths: [string, (string | number)[]][] = [
  ['k', ['k']],
  ['k.a', ['k', 'a']],
  ['k[0]', ['k', 0]],
  ['k[1].a', ['k', 1, 'a']],
  ['k["0"]', ['k', '0']],
  ['k.0', ['k', '0']],
  ['k["+1"]', ['k', '+1']],
  ['["a.b"]', ['a.b']],
  ['["a.b"][0]', ['a.b', 0]],
  ['a.b', ['a', 'b']],
  ['deep.k', ['deep', 'k']],
  ['deep.k.a', ['deep', 'k', 'a']],
  ['none', ['none']],
];

const oneOrMany = (values: string[]) =>
  fc.oneof(fc.constantFrom(...values), fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 3 }));
const some = (values: string[]) => oneOrMany(values.filter((value) => value !== ''));
const ordered = fc.constantFrom(...scalars.filter((value) => typeof value === 'string' || typeof value === 'number'));
const list = fc.array(scalar, { minLength: 1, maxLength: 3 });
const operators = fc
  .record(
    {
      $eq: scalar,
      $ne: scalar,
      $gt: ordered,
      $gte: ordered,
      $lt: ordered,
      $lte: ordered,
      $in: list,
      $nin: list,
      $exists: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map((all) => Object.fromEntries(Object.entries(all).slice(0, 2)))
  .filter((all) => Object.keys(all).length > 0);
const metadata = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...paths.map(([path]) => path)), fc.oneof(scalar, operators)), {
    minLength: 1,
    maxLength: 2,
    selector: ([path]) => path,
  })
  .map((entries) => Object.fromEntries(entries) as Record<string, Criteria>);

/** Filters of one to three members. */
const filter: fc.Arbitrary<Filter> = fc
  .record({
    action: some([...actions, 'user.*', '*', '*.login', 'u*r.*', 'a*b', 'user*', '**', '*%*', 'USER.*']),
    actor_id: some(ids),
    actor_email: some(['a@example.com', 'A@example.com']),
    target_type: some(['file', 'role', 'File']),
    target_id: some(ids),
    severity: some([...severities, 'high', 'ERROR']),
    ip: some(['192.0.2.1', '2001:db8::1', '192.0.2.*']),
    from: fc.constantFrom(...times, '2025-01-01', '2025-01-01T01:00:02+01:00', '2025-01-01 00:00:01'),
    to: fc.constantFrom(...times, '2025-01-01', '2025-01-01T01:00:02+01:00'),
    after_sequence: fc.integer({ min: 0, max: 300 }),
    through_sequence: fc.integer({ min: 300, max: 500 }),
    search: fc.constantFrom(
      'ann',
      'ANN',
      'émile',
      '%',
      '_',
      '\\',
      'user ann',
      'login file',
      'x  y',
      "o'hara",
      'zzz',
      '192',
    ),
    metadata,
  })
  .chain((all) =>
    fc
      .subarray(
        [...Object.keys(all), 'metadata', 'metadata'].filter((name, i, names) => names.indexOf(name) === i),
        {
          minLength: 1,
          maxLength: 3,
        },
      )
      .map((members) => Object.fromEntries(members.map((name) => [name, all[name as keyof typeof all]])) as Filter),
  )
  .filter(({ from, to }) => !from || !to || micros(from, 'start') <= micros(to, 'end'));

describe('The filter', () => {
  const events = fc.sample(posted, { numRuns: 400, seed: 1122 });
  let app: Exporting;
  let call: Call;
  beforeAll(async () => {
    app = await startExporting({ LOGFERRY_SEGMENT_ROWS: '90' });
    const made = await app.newTenant();
    call = made.call;
    await addEvents(app.database, made.tenant.id, events);
  });
  afterAll(() => app.close());

  const exported = async (filter: Filter) => {
    const file = await exportFile(call, {
      format: 'json',
      properties: [{ name: 'sequence_number' }],
      // Exports are audited after the events; no filter asks for those.
      filter: { ...filter, through_sequence: Math.min(filter.through_sequence ?? 400, 400) },
      sort: [{ field: 'sequence_number' }],
    });
    return (JSON.parse(file.text) as { sequence_number: number }[]).map((row) => row.sequence_number);
  };
  const expected = (filter: Filter) => events.flatMap((event, i) => (matches(event, i + 1, filter) ? [i + 1] : []));

  it('gives the events that match it by a plain reading of the contract', async () => {
    let matched = 0;
    const property = fc.asyncProperty(filter, async (filter) => {
      const numbers = expected(filter);
      if (numbers.length > 0) matched++;
      expect(await exported(filter)).toEqual(numbers);
    });
    await fc.assert(property, { numRuns: 150, seed: 20251122 });
    // A test of empty files alone would show nothing.
    expect(matched).toBeGreaterThan(50);
  }, 90_000);

  it('gives the same for each operator and each path by itself', async () => {
    const property = fc.asyncProperty(metadata, async (metadata) => {
      expect(await exported({ metadata })).toEqual(expected({ metadata }));
    });
    await fc.assert(property, { numRuns: 150, seed: 7 });
  }, 90_000);
});

/** Microseconds since 1970 of a time in a filter; a date alone is its first or last one. */
function micros(text: string, end: 'start' | 'end'): bigint {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) {
    const day = BigInt(Date.parse(`${text}T00:00:00Z`)) * 1000n;
    return end === 'start' ? day : day + 86_400_000_000n - 1n;
  }
  const fraction = /\.(\d{6})/.exec(text)?.[1] ?? '0';
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text.replace(' ', 'T')}Z`;
  return BigInt(Date.parse(zoned.replace(/\.\d+/, ''))) * 1000n + BigInt(fraction);
}

function matches(event: Posted, number: number, filter: Filter): boolean {
  const any = (value: string | null, wanted: string | string[] | undefined, same = (a: string, b: string) => a === b) =>
    wanted === undefined || (value !== null && [wanted].flat().some((each) => same(value, each)));
  const at = micros(event.occurred_at, 'start');
  return (
    any(event.action, filter.action, wildcard) &&
    any(event.actor.id, filter.actor_id) &&
    any(event.actor.email, filter.actor_email) &&
    any(event.target.type, filter.target_type) &&
    any(event.target.id, filter.target_id) &&
    any(event.context.ip, filter.ip) &&
    any(event.severity, filter.severity, (a, b) => a.toLowerCase() === b.toLowerCase()) &&
    (filter.from === undefined || at >= micros(filter.from, 'start')) &&
    (filter.to === undefined || at <= micros(filter.to, 'end')) &&
    number > (filter.after_sequence ?? 0) &&
    number <= (filter.through_sequence ?? 400) &&
    hasWords(event, filter.search ?? '') &&
    Object.entries(filter.metadata ?? {}).every(([path, criteria]) => meets(valueAt(event.metadata, path), criteria))
  );
}

/** `*` stands for any text, nothing and dots included. */
function wildcard(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return text === pattern;
  const last = rest.pop()!;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= text.length - last.length;
}

function hasWords(event: Posted, search: string): boolean {
  const places = [
    event.action,
    event.description,
    event.actor.id,
    event.actor.name,
    event.actor.email,
    event.target.type,
    event.target.id,
  ];
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => places.some((place) => (place ?? '').toLowerCase().includes(word)));
}

/** What stands there; undefined where the path leads nowhere. Numbers lead into lists, texts into objects. */
function valueAt(metadata: Json, path: string): Json | undefined {
  const steps = paths.find(([written]) => written === path)![1];
  return steps.reduce<Json | undefined>((inner, step) => {
    if (Array.isArray(inner)) return typeof step === 'number' ? inner[step] : undefined;
    if (typeof inner !== 'object' || inner === null || typeof step === 'number') return undefined;
    return Object.hasOwn(inner, step) ? inner[step] : undefined;
  }, metadata);
}

function meets(value: Json | undefined, criteria: Criteria): boolean {
  if (typeof criteria !== 'object' || criteria === null) return value === criteria;
  return Object.entries(criteria).every(([operator, operand]) => {
    const among = (list: unknown) => (list as Scalar[]).some((each) => each === value);
    const order = compare(value, operand);
    switch (operator) {
      case '$eq':
        return value === operand;
      case '$ne':
        return value !== operand;
      case '$in':
        return among(operand);
      case '$nin':
        return !among(operand);
      case '$exists':
        return (value !== undefined) === operand;
      case '$gt':
        return order > 0;
      case '$gte':
        return order >= 0;
      case '$lt':
        return order < 0;
      default:
        return order <= 0;
    }
  });
}

/** Numbers with numbers, texts with texts by code point; NaN for any other two, which is neither less nor more. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Number.NaN;
}

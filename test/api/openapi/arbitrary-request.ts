import fc from 'fast-check';
import type { Documented, DocumentedApi, Json } from './documented-api.ts';

/** What is sent besides the key. */
export type FuzzedRequest = { path: string; headers: Record<string, string>; body?: string };

/** Texts at which something may break. */
const hostile = [
  ...['', ' ', '\0', '\ud800', 'ﬀ😀', "'; drop table events; --", '%', '%00', '../..', '__proto__', 'a'.repeat(5000)],
  ...['null', 'undefined', '[]', '{}', '{"$gt": 1}', '1e400', '-1', '9007199254740993', '2026-02-31', '0001-01-01'],
];
const anyText = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...hostile) }, fc.string({ unit: 'binary' }));
const anyJson = fc.oneof(anyText, fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(-1, 1e308, 2 ** 53, true, null));

const rarely = <T>(mostly: T, otherwise: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(mostly) }, { weight: 1, arbitrary: otherwise });

const times = ['2026-11-22T10:00:00.000001Z', '2999-12-31T23:59:59+00:30', '2030-01-01 00:00'];

/** Addresses that need no look-up: what webhooks may reach, what they may not, and what is none. */
const addresses = [
  'http://127.0.0.1:9999/hook',
  'https://192.0.2.1/',
  'ftp://127.0.0.1/',
  'https://127.0.0.1:22/',
  'x',
];

/**
 * Requests of an operation: as the document wants them, nearly so, and not at all.
 * @param ids what may stand in its path
 */
export function arbitraryRequest(api: DocumentedApi, { path, operation }: Documented, ids: string[]) {
  const parameters: Json[] = operation.parameters ?? [];
  const placed = (place: string) => parameters.filter((each) => each.in === place);
  // A few at a time: with all of them something is always wrong.
  const record = (list: Json[]) =>
    fc
      .subarray(list, { maxLength: Math.min(3, list.length) })
      .chain((few) => fc.record(Object.fromEntries(few.map((each) => [each.name, arbitraryParameter(api, each)]))));
  const id = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...ids) },
    { weight: 1, arbitrary: fc.uuid() },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 8 }) },
  );
  const schema = operation.requestBody?.content['application/json']?.schema;
  return fc
    .record({
      id,
      query: record(placed('query')),
      others: rarely({}, fc.dictionary(fc.constantFrom('__proto__x', 'nonsense', 'filter[a]'), anyText)),
      headers: record(placed('header')),
      body: schema ? arbitraryBody(api, schema) : fc.constant(undefined),
    })
    .map(({ id, query, others, headers, body }): FuzzedRequest => {
      const text = queryText({ ...query, ...others });
      const sent = Object.entries(headers).filter(([, value]) => /^[\x21-\x7e][\x20-\x7e]{0,200}$/.test(String(value)));
      return {
        path: path.replace(/\{\w+\}/, encodeURIComponent(id)) + (text && `?${text}`),
        headers: Object.fromEntries(sent.map(([name, value]) => [name, String(value).trim()])),
        ...(body !== undefined && { body }),
      };
    });
}

function queryText(query: Record<string, unknown>): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const each of [value].flat()) text.append(name, String(each));
  return text.toString();
}

function arbitraryParameter(api: DocumentedApi, { name, schema, content }: Json): fc.Arbitrary<unknown> {
  // Any other one is refused at once.
  if (/tenant(-id)?$/i.test(name)) return rarely('', anyText);
  // The wait is as long as it says.
  if (name === 'Prefer') return fc.constantFrom('wait=0', 'respond-async', 'wait=x');
  const asText = content && arbitraryOf(api, content['application/json'].schema).map((value) => JSON.stringify(value));
  return fc.oneof({ weight: 9, arbitrary: asText ?? arbitraryOf(api, schema) }, { weight: 1, arbitrary: anyText });
}

/** JSON of the schema, the same with something wrong in it, any JSON, and no JSON. */
const arbitraryBody = (api: DocumentedApi, schema: Json): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 17, arbitrary: arbitraryJson(api, schema).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: anyText },
  );

/** A value of the schema, the same with something wrong in it, or anything else. */
export function arbitraryJson(api: DocumentedApi, schema: Json): fc.Arbitrary<unknown> {
  const good = arbitraryOf(api, schema);
  const spoilt = fc.tuple(good, fc.nat(), anyJson).map(([value, at, other]) => spoil(value, at, other));
  return fc
    .oneof({ weight: 10, arbitrary: good }, { weight: 6, arbitrary: spoilt }, { weight: 1, arbitrary: anyJson })
    .map((value) => JSON.parse(JSON.stringify(value)));
}

/** Puts another value in one place inside, or a member more. */
function spoil(value: Json, at: number, other: unknown): unknown {
  if (typeof value !== 'object' || value === null) return other;
  const keys = [...Object.keys(value), 'unknown'];
  const key = keys[at % keys.length]!;
  const inner = at % 3 === 0 ? other : spoil(value[key], Math.floor(at / keys.length), other);
  if (!Array.isArray(value)) return { ...value, [key]: inner };
  return key === 'unknown' ? [...value, inner] : value.with(Number(key), inner);
}

/** Values that a schema of this document takes; where its rules cannot be generated from, some that it does not. */
function arbitraryOf(api: DocumentedApi, given: Json): fc.Arbitrary<unknown> {
  const schema = api.resolve(given);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) {
    return fc.oneof(...schema.anyOf.map((each: Json) => arbitraryOf(api, { type: schema.type, ...each })));
  }
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type: string) => arbitraryOf(api, { ...schema, type })));
  }
  switch (schema.type) {
    case 'string':
      return arbitraryText(schema);
    case 'integer':
    case 'number':
      return fc.oneof(
        fc.integer({ min: schema.minimum ?? -1000, max: Math.min(schema.maximum ?? 1000, 2 ** 31 - 1) }),
        fc.constantFrom(schema.minimum ?? 0, schema.maximum ?? 2 ** 53 - 1),
      );
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(arbitraryOf(api, schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 4 });
    case 'object':
      return arbitraryObject(api, schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function arbitraryObject(api: DocumentedApi, schema: Json): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
  const members = Object.entries(properties).map(([name, each]) => [name, arbitraryOf(api, each)]);
  const known = fc.record(Object.fromEntries(members), { requiredKeys: required });
  if (additionalProperties === false) return known;
  const names = propertyNames ? arbitraryText(propertyNames) : fc.string({ maxLength: 10 });
  const others = fc.dictionary(names, arbitraryOf(api, additionalProperties ?? {}), { maxKeys: 3 });
  return fc.tuple(others, known).map(([more, value]) => ({ ...more, ...value }));
}

function arbitraryText({ pattern, format, minLength = 0, maxLength = 40 }: Json): fc.Arbitrary<string> {
  if (format === 'uri') return rarely(addresses[0]!, fc.constantFrom(...addresses));
  const plain = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 40) });
  if (pattern === undefined) return plain;
  const expression = new RegExp(pattern, 'u');
  // Of random digits hardly any are a time.
  if (expression.test(times[0]!) && !expression.test('x'))
    return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...times) }, fc.stringMatching(expression));
  // Most patterns only say what must not stand in a text.
  if (expression.test('plain text') && expression.test('é😀')) return plain.filter((text) => expression.test(text));
  return fc.oneof(fc.stringMatching(expression, { maxLength: 60 }), fc.stringMatching(expression));
}

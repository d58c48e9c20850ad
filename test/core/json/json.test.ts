import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppError } from '../../../core/errors.ts';
import { findUnstorable, maxDepth, parseJson } from '../../../core/json/json.ts';
import { arbitraryJson } from './arbitrary-json.ts';

function refusal(text: string | Uint8Array): AppError {
  try {
    parseJson(text);
  } catch (error) {
    return error as AppError;
  }
  throw new Error(`${text} was taken`);
}

describe('parseJson', () => {
  it('reads any JSON as it was written', () => {
    fc.assert(
      fc.property(arbitraryJson, (value) => {
        expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps keys with escapes apart from keys that came before (nodejs/node#63785)', () => {
    const texts = [
      '{"q":1,"\\\\":1}',
      '{"q":1,"\\b":1}',
      '{"q":1,"\\u4e2d":1}',
      '{"r":1,"\\\\u00":1}',
      '{"r":1,"\\u0041bcd" : 1}',
    ];
    expect(texts.flatMap((text) => Object.keys(parseJson(text) as object))).toEqual([
      'q',
      '\\',
      'q',
      '\b',
      'q',
      '中',
      'r',
      '\\u00',
      'r',
      'Abcd',
    ]);
  });

  it('takes a key with escapes for any key, also __proto__', () => {
    const value = parseJson('{"\\u0061":2,"\\u005f_proto__":{"x":1},"list":[{"\\n":"\\n"}]}');
    expect(Object.entries(value as object)).toEqual([
      ['a', 2],
      ['__proto__', { x: 1 }],
      ['list', [{ '\n': '\n' }]],
    ]);
  });

  it.each([
    ['{"action":"a","action":"b"}', 'action'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"events":[{"a":1},{"b":{"c":[1,{"d":1,"x":{"d":1},"d":2}]}}]}', 'events.1.b.c.1.d'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"":1, "" :2}', ''],
    ['[{"a":":\\"","a" :"{"}]', '0.a'],
  ])('refuses %s, in which a member stands twice, and names it', (text, path) => {
    const error = refusal(text);
    expect(error.type).toBe('validation_error');
    expect(error.errors).toEqual([{ path, message: expect.stringMatching(/occurs twice in its object$/) }]);
  });

  it('takes the same member in objects beside and inside each other', () => {
    const text = '{"a":{"a":[{"a":1},{"a":":"}]},"b":{"a":null}}';
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ['[1e16]', /beyond ±\(2\^53 − 1\)/],
    ['[1e20]', /beyond ±\(2\^53 − 1\)/],
    ['[9007199254740993]', /beyond ±\(2\^53 − 1\)|rounding/],
    ['[1234567890123456789012]', /without rounding/],
    ['[1e400]', /too large/],
    ['[1e-400]', /too small/],
  ])('says of %s truly why it is refused', (text, message) => {
    expect(refusal(text).errors[0]!.message).toMatch(message);
  });

  it.each(['{"a\\n":1,x', '{"a\\x":1}', '{"a\\n":1}}'])('says of %s what is wrong with it as it was given', (text) => {
    const error = refusal(text);
    expect(error.type).toBe('bad_request');
    expect(error.message).not.toMatch(/[0-9a-f]{16}/);
  });

  it('names the place of a number below a key with escapes', () => {
    expect(refusal('{"a\\n":{"b":1e999}}').errors).toMatchObject([{ path: 'a\n.b' }]);
  });

  it.each([
    ['9007199254740992', ''],
    ['{"a": [1, {"b": -9007199254740993}]}', 'a.1.b'],
    ['{"a": 123456789012345678901234567890}', 'a'],
    ['[1e400]', '0'],
    ['{"a": {"b": -1E+999}}', 'a.b'],
    ['[9007199254740993.0]', '0'],
    ['[12345678901234567e0]', '0'],
    ['[1e16]', '0'],
    ['[9007199254740992.0]', '0'],
    ['[1e-400]', '0'],
    [`[${'9'.repeat(400)}]`, '0'],
  ])('refuses %s, which a double cannot hold, and names the place', (text, path) => {
    const error = refusal(text);
    expect(error.type).toBe('validation_error');
    expect(error.errors).toEqual([{ path, message: expect.stringContaining('send it as text') }]);
  });

  it('takes the largest numbers that a double holds, and fractions of any length', () => {
    const text =
      '[9007199254740991, -9007199254740991, 1e21, 1.7976931348623157e308, 5e-324, -0, 0.1234567890123456789]';
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it('takes back every number that it has given out', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = JSON.stringify([number]);
        const isTaken = (() => {
          try {
            return parseJson(text) as [number];
          } catch {
            return undefined;
          }
        })();
        if (isTaken) expect(parseJson(JSON.stringify(isTaken))).toEqual(isTaken);
        else expect(Number.isInteger(number) && !Number.isSafeInteger(number)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('takes digits of any length inside texts and keys', () => {
    const text = '{"9007199254740993": "9007199254740993 1e400", "uuid": "3e123456-0000-4000-8000-123456789012"}';
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it.each(['', '{', '{"a":1,}', "{'a':1}", '{"a":NaN}', '[1] x', '"\u0001"'])('answers bad_request for %j', (text) => {
    expect(refusal(text).type).toBe('bad_request');
  });

  it('answers bad_request for bytes that are not UTF-8', () => {
    expect(refusal(Uint8Array.from([0x22, 0xff, 0x22])).type).toBe('bad_request');
  });

  it('reads megabytes of white space in a moment, however many texts it has read before', () => {
    // V8 gives the characters of a long string one by one in minutes once it has seen short ones.
    for (let i = 0; i < 20_000; i++) parseJson(Buffer.from(`{"action":"a${i}","metadata":{"n":${i}}}`));
    const begun = process.threadCpuUsage();
    expect(parseJson(Buffer.from(`{"action":"a"${' '.repeat(15_000_000)}}`))).toEqual({ action: 'a' });
    const { user, system } = process.threadCpuUsage(begun);
    // Of CPU, in microseconds: a machine may be busy with others.
    expect(user + system).toBeLessThan(3_000_000);
  });

  it('refuses more members than can be read in a moment', () => {
    const many = (count: number, name: (n: number) => string) =>
      `{${Array.from({ length: count }, (_, n) => `"${name(n)}":1`).join(',')}}`;
    expect(refusal(many(500_001, (n) => `k${n}`)).errors[0]!.message).toMatch(/more than 500000 members/);
    expect(refusal(many(10_001, (n) => `\\u0061${n}`)).errors[0]!.message).toMatch(/10000 members whose names hold/);
  });

  it('refuses more values than an event may be made of', () => {
    const list = (count: number) => `[${'1,'.repeat(count - 1)}1]`;
    expect(parseJson(list(999_000))).toHaveLength(999_000);
    expect(() => parseJson(list(1_000_002))).toThrow('has more than 1000000 values');
  });

  it('refuses a million brackets without recursing into them', () => {
    expect(refusal('['.repeat(1_000_000)).type).toBe('validation_error');
    expect(refusal('{"a":'.repeat(200_000)).type).toBe('validation_error');
  });

  it('does not count brackets inside texts', () => {
    const text = JSON.stringify([`${'['.repeat(200)}\\"{`]);
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });
});

describe('findUnstorable', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

  it(`takes ${maxDepth} levels and refuses one more`, () => {
    expect(findUnstorable(nested(maxDepth))).toBeUndefined();
    expect(findUnstorable(nested(maxDepth + 1))).toEqual({
      path: Array(maxDepth).fill('a').join('.'),
      message: expect.stringContaining(`${maxDepth} levels`),
    });
  });

  it.each([
    [{ a: ['x', 'y\0'] }, 'a.1', 'NUL'],
    [{ a: { '\0': 1 } }, 'a.\0', 'NUL'],
    [{ a: '\ud800' }, 'a', 'surrogate'],
    [{ 'x\udc00': 1 }, 'x\udc00', 'surrogate'],
    [JSON.parse('{"__proto__": {"a": "\\u0000"}}'), '__proto__.a', 'NUL'],
  ])('names the place in %j', (value, path, message) => {
    expect(findUnstorable(value)).toEqual({ path, message: expect.stringContaining(message) });
  });

  it('takes every other Unicode text', () => {
    expect(findUnstorable(['\u0001\u2028\u2029\uffff\ufeff😀', ''])).toBeUndefined();
  });
});

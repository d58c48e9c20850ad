import fc from 'fast-check';

/** Texts with what breaks escaping: quotes, backslashes, controls, line separators, pairs, full-width forms; no NUL. */
export const storableText = (maxLength = 12): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '"',
          '\\',
          '/',
          '\b',
          '\f',
          '\n',
          '\r',
          '\t',
          '\x01',
          '\x1f',
          '\x7f',
          '\x80',
          '\u2028',
          '\u2029',
        ),
        fc.constantFrom('😀', '𐀀', '\uffff', '\ufeff', '＝', 'é', 'e\u0301', '<', '&', "'", '__proto__', 'constructor'),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
      ),
      { maxLength },
    )
    .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed());

const number = fc
  .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger(), fc.constantFrom(1e21, 5e-324, 0.1))
  // JSON.stringify writes doubles from 2^53 to 1e21 as whole numbers that are too long to be taken (docs/verify.md).
  .filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n) || Math.abs(n) >= 1e21)
  .map((n) => (Object.is(n, -0) ? 0 : n));

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    number,
    storableText(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(storableText(3), tie('value')), { maxLength: 5 }).map(jsonObject),
  ),
}));

/** Any JSON value that an event may hold. */
export const arbitraryJson: fc.Arbitrary<unknown> = value;
/** Any JSON object that an event may hold, `__proto__` among its keys now and then. */
export const arbitraryJsonObject: fc.Arbitrary<Record<string, unknown>> = fc
  .array(fc.tuple(fc.oneof(storableText(3), fc.constantFrom('__proto__', 'constructor', '10', '9', '')), value), {
    maxLength: 6,
  })
  .map(jsonObject);

/** As JSON.parse makes objects: every key is a member, also `__proto__`. */
function jsonObject(entries: [string, unknown][]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}

/**
 * RFC 8785 canonical JSON: members sorted by UTF-16 code units, no white space, numbers and strings as ECMAScript writes
 * them. The value must come from JSON.parse: nothing but objects, arrays, strings, finite numbers, booleans and null.
 *
 * Our own, because every event is written through it and it is the root of the chain; test/core/canonical-json.test.ts
 * holds it to the `canonicalize` package.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    let text = '[';
    for (let i = 0; i < value.length; i++) text += (i === 0 ? '' : ',') + canonicalJson(value[i]);
    return `${text}]`;
  }
  let text = '{';
  // Sorting compares UTF-16 code units, which is what RFC 8785 section 3.2.3 asks for.
  for (const key of Object.keys(value).sort()) {
    const separator = text.length === 1 ? '' : ',';
    text += `${separator}${JSON.stringify(key)}:${canonicalJson((value as Record<string, unknown>)[key])}`;
  }
  return `${text}}`;
}

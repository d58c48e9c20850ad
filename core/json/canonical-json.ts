/**
 * RFC 8785 canonical JSON: members sorted by UTF-16 code units, no white space, numbers and strings as ECMAScript writes
 * them. The value must come from JSON.parse: nothing but objects, arrays, strings, finite numbers, booleans and null.
 *
 * Our own, because every event is written through it and it is the root of the chain; test/core/json/canonical-json.test.ts
 * holds it to the `canonicalize` package.
 */
export function canonicalJson(value: unknown): string {
  const sorted = sortedCopy(value);
  return sorted === unsortable ? canonicalByMember(value) : JSON.stringify(sorted);
}

const unsortable = Symbol('an object that cannot have its members in the order that is asked for');

/**
 * A copy of the value with the members of its objects in order, which JSON.stringify then writes in one go: it takes half as long
 * as putting texts together, and leaves one text instead of a hundred.
 */
function sortedCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return sortedItems(value);
  const copy: Record<string, unknown> = {};
  // Sorting compares UTF-16 code units, which is what RFC 8785 section 3.2.3 asks for.
  for (const key of Object.keys(value).sort()) {
    const member = isSortable(key) ? sortedCopy((value as Record<string, unknown>)[key]) : unsortable;
    if (member === unsortable) return unsortable;
    copy[key] = member;
  }
  return copy;
}

function sortedItems(items: unknown[]): unknown {
  const copy = items.map(sortedCopy);
  return copy.includes(unsortable) ? unsortable : copy;
}

/** An object has numbers before all other keys, in the order of their values, and no member `__proto__` by assignment. */
function isSortable(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first < 0x30 || first > 0x39) && key !== '__proto__';
}

/** Canonical JSON of a value whose objects have any keys, put together member by member. */
function canonicalByMember(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalByMember).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalByMember((value as Record<string, unknown>)[key])}`);
  return `{${members.join(',')}}`;
}

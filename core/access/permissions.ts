import { type Scope, scopes } from './api-keys.ts';

/** Which scopes a permission gives, as JWT_PERMISSIONS says. */
export type PermissionScopes = Readonly<Record<string, readonly Scope[]>>;

/**
 * The scopes that a token's permissions give. `*` stands for any text on either side: a role of Frontegg's may hold
 * `fe.secure.*`, and a deployment may map it. What is no list of texts gives nothing.
 */
export function scopesOf(permissions: unknown, map: PermissionScopes): Scope[] {
  const held = Array.isArray(permissions) ? permissions.filter((each) => typeof each === 'string') : [];
  const given = Object.entries(map)
    .filter(([wanted]) => held.some((each) => fits(wanted, each) || fits(each, wanted)))
    .flatMap(([, granted]) => granted);
  return scopes.filter((scope) => given.includes(scope));
}

/**
 * Whether the text is of the pattern. Each part is looked for once, from the left: patterns come with tokens, and a regular
 * expression with many `*` could take for ever.
 */
function fits(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return text === first;
  const last = rest.pop()!;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

import { matchesGlob } from '../glob.ts';
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
    .filter(([wanted]) => held.some((each) => matchesGlob(wanted, each) || matchesGlob(each, wanted)))
    .flatMap(([, granted]) => granted);
  return scopes.filter((scope) => given.includes(scope));
}

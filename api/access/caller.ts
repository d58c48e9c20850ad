import { createHash } from 'node:crypto';
import { type Scope, scopes } from '../../core/access/api-keys.ts';
import type { User } from '../../core/access/tokens-of-users.ts';
import type { KnownKey } from '../../prisma/api-keys.ts';
import type { AuditContext } from '../../prisma/exports/audit.ts';
import type { TenantRow } from '../../prisma/tenants.ts';

/** Who calls, however it was proved (api/access/identify.ts). */
export type Caller = {
  /** What proved it: an API key, a token that POST /auth/vendor gave for one, or a user's own token. */
  kind: 'api_key' | 'environment_token' | 'tenant_token' | 'user_token';
  /** Acts for any tenant, which a header names. All others act for `tenant` alone, whatever a header says. */
  management: boolean;
  /** The key, also that behind a token made for it. Null for the one that the configuration names, and for users. */
  keyId: string | null;
  scopes: readonly Scope[];
  /** Undefined for the management, and for a user whose token names a tenant that is not known here. */
  tenant: TenantRow | undefined;
  /** The caller in events of an audit log. */
  actor: AuditContext['actor'];
  /** Whose share of the rate limit is used: a key with all its tokens, or a user. Printable ASCII, no secret. */
  countedAs: string;
};

/** Whoever sends LOGFERRY_ADMIN_KEY, or a token made for it. */
export const callerOfConfiguredKey = (kind: 'api_key' | 'environment_token'): Caller => ({
  kind,
  management: true,
  keyId: null,
  scopes,
  tenant: undefined,
  actor: { id: null, type: 'management_key', name: 'LOGFERRY_ADMIN_KEY' },
  countedAs: 'configured key',
});

/** Whoever sends a key, or with `byToken` a token made for it. Such a token is the key for a while: the log names the key. */
export function callerOfKey(key: KnownKey, { byToken = false } = {}): Caller {
  const management = key.tenantId === null;
  const tokenKind = management ? 'environment_token' : 'tenant_token';
  return {
    kind: byToken ? tokenKind : 'api_key',
    management,
    keyId: key.id,
    scopes: scopes.filter((scope) => key.scopes.includes(scope)),
    tenant: key.tenant ?? undefined,
    actor: { id: key.id, type: management ? 'management_key' : 'api_key', name: key.name },
    countedAs: `key ${key.id}`,
  };
}

/** A user, of a tenant that may not be known here. */
export const callerOfUser = (user: User, tenant: TenantRow | undefined): Caller => ({
  kind: 'user_token',
  management: false,
  keyId: null,
  scopes: user.scopes,
  tenant,
  actor: { id: user.id, type: 'user', name: user.name, email: user.email },
  countedAs: `user ${fingerprint([tenant?.id ?? user.tenantName, user.id ?? user.email])}`,
});

/** Names of people stay out of what counts requests, which may be a Redis of others. */
const fingerprint = (parts: (string | null)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);

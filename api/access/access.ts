import type { RequestHandler } from 'express';
import { type KeyTokens, openKeyTokens } from '../../core/access/tokens-of-keys.ts';
import { openUserTokens } from '../../core/access/tokens-of-users.ts';
import { keepRecent, type Recent } from '../../core/async/recent.ts';
import { isUuid } from '../../core/ids.ts';
import { findKey, findKeyById } from '../../prisma/api-keys.ts';
import { findTenant, type TenantRow } from '../../prisma/tenants.ts';
import type { AppDeps } from '../app-deps.ts';
import { type Identity, identify, makeIdentity } from './identify.ts';
import { limitRate, ratesOf } from './rate-limit.ts';
import { openRefusals } from './refusals.ts';

/** What every request goes through that is for more than the public. */
export type Access = {
  /** Finds out who calls, then limits how often. It refuses no caller for being unknown: requireCaller() does. */
  enter: RequestHandler[];
  /** The second half alone, for those who find out by themselves who calls. */
  limit: RequestHandler[];
  identity: Identity;
  keyTokens: KeyTokens;
  /** Tenants by id or external id, at most a few seconds old. */
  tenants: Recent<TenantRow>;
  /** Drops what is kept of keys and tenants. For those who have just changed one. */
  forget(): void;
};

/**
 * Milliseconds for which a process goes by what it read of a key or a tenant. A revoked key must be refused within 5 s on
 * every process.
 */
const recentMs = 3000;

/**
 * Replies are for their caller alone. Shared caches keep no reply to a request with `Authorization` (RFC 9111 section 3.5),
 * but they do not know `x-access-token`.
 */
const keepPrivate: RequestHandler = (_request, response, next) => {
  response.set({ 'Cache-Control': 'private, no-store', 'X-Content-Type-Options': 'nosniff' });
  response.vary('Authorization, x-access-token');
  next();
};

/** Opens access control once for every route behind it, so that guesses at keys count together wherever they are tried. */
export function openAccess(deps: AppDeps): Access {
  const { config, database, log, metrics, secretKey, counter, clock, refusals = openRefusals(deps) } = deps;
  const { prisma } = database;
  // By their text or, for tokens made for them, by their id: no key is a UUID.
  const findEither = (name: string) => (isUuid(name) ? findKeyById(prisma, name) : findKey(prisma, name));
  const keys = keepRecent(findEither, { maxAgeMs: recentMs, clock });
  const tenants = keepRecent((name) => findTenant(prisma, name), {
    maxAgeMs: recentMs,
    // A tenant may be made by another process and be used here at once.
    keepMissing: false,
    clock,
  });
  const keyTokens = openKeyTokens(secretKey.tokenKeys, clock);
  const identity = makeIdentity({
    config,
    // Who wants no limits has none of these, either.
    refusals: config.LOGFERRY_RATE_LIMIT === 0 ? undefined : refusals,
    keys,
    tenants,
    keyTokens,
    userTokens: openUserTokens(config, log, clock),
    clock,
  });
  const limit = limitRate({ ...ratesOf(config), metrics, log, counter });
  return {
    // Who calls is found out first, as limits count by key.
    enter: [keepPrivate, identify(identity), ...limit],
    limit,
    identity,
    keyTokens,
    tenants,
    forget() {
      keys.forget();
      tenants.forget();
    },
  };
}

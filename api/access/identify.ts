import type { Request, RequestHandler } from 'express';
import { hashApiKey, isWellFormedApiKey, sameHash } from '../../core/access/api-keys.ts';
import { looksLikeToken, TokenError } from '../../core/access/tokens.ts';
import { KeysAwayError } from '../../core/access/tokens-jwks.ts';
import type { KeyTokens } from '../../core/access/tokens-of-keys.ts';
import type { UserTokens } from '../../core/access/tokens-of-users.ts';
import type { Recent } from '../../core/async/recent.ts';
import type { Config } from '../../core/config.ts';
import { AppError } from '../../core/errors.ts';
import { isUuid } from '../../core/ids.ts';
import type { KnownKey } from '../../prisma/api-keys.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import { type Caller, callerOfConfiguredKey, callerOfKey, callerOfUser } from './caller.ts';
import { type Locals, localsOf } from './locals.ts';
import type { Refusals } from './refusals.ts';
import { unauthorized } from './tenant-route.ts';

export type IdentifyDeps = {
  config: Pick<Config, 'LOGFERRY_ADMIN_KEY'>;
  /** Keys by their text or their id, at most a few seconds old (see api/access/access.ts). */
  keys: Recent<KnownKey>;
  /** Tenants by id or external id, as old. */
  tenants: Recent<TenantRow>;
  keyTokens: KeyTokens;
  /** Where refused ones are counted, if they are. */
  refusals?: Refusals;
  /** Undefined where users' tokens are refused. */
  userTokens: UserTokens | undefined;
  /** Milliseconds, for tests. */
  clock?: () => number;
};

/**
 * Finds out whose a key or a token is. Both fail with AppError: authentication_error, unavailable, or rate_limit_exceeded for
 * an address from which too many were refused.
 */
export type Identity = {
  ofKey(key: string, address: string | undefined): Promise<Caller>;
  ofKeyOrToken(text: string, address: string | undefined): Promise<Caller>;
};

/**
 * Finds out who calls, from `Authorization: Bearer <key or token>` or, as SDKs of Frontegg send it, `x-access-token`. It
 * refuses nobody: rate limits come first, and they count by the key. requireCaller() refuses.
 */
export const identify =
  (identity: Identity): RequestHandler =>
  async (request, response, next) => {
    const text = bearerToken(request) ?? accessToken(request);
    await rememberCaller(
      localsOf(response),
      text === undefined ? missing(request) : () => identity.ofKeyOrToken(text, request.ip),
    );
    next();
  };

/** Keeps who it is for callerOf(), or why it is nobody for requireCaller(). */
export async function rememberCaller(
  locals: Partial<Pick<Locals, 'caller' | 'refusal'>>,
  find: () => Promise<Caller>,
): Promise<void> {
  try {
    locals.caller = await find();
  } catch (error) {
    if (!(error instanceof AppError && error.status === 401)) throw error;
    locals.refusal = error;
  }
}

export function makeIdentity(deps: IdentifyDeps): Identity {
  const { config, keys, tenants, keyTokens, refusals, userTokens, clock = Date.now } = deps;
  const configured = config.LOGFERRY_ADMIN_KEY === undefined ? undefined : hashApiKey(config.LOGFERRY_ADMIN_KEY);

  async function ofKey(text: string): Promise<Caller> {
    if (configured && sameHash(hashApiKey(text), configured)) return callerOfConfiguredKey('api_key');
    const key = isWellFormedApiKey(text) ? await keys.get(text) : undefined;
    if (!key) throw unauthorized('The API key is unknown: mistyped, revoked, or from another deployment.');
    refuseEnded(key);
    return callerOfKey(key);
  }

  async function ofKeyToken(subject: string): Promise<Caller> {
    if (configured && keyTokens.isSubjectOf(subject, configured)) return callerOfConfiguredKey('environment_token');
    const key = isUuid(subject) ? await keys.get(subject) : undefined;
    if (!key) throw unauthorized('The API key behind this token was revoked or replaced.');
    refuseEnded(key);
    return callerOfKey(key, { byToken: true });
  }

  async function ofToken(token: string): Promise<Caller> {
    const ours = await keyTokens.read(token);
    if (ours) return await ofKeyToken(ours.subject);
    if (!userTokens)
      throw unauthorized('The token is not one of POST /auth/vendor, and tokens of users are not accepted here.');
    const user = await userTokens.read(token);
    const tenant = await tenants.get(user.tenantName);
    refuseOfDeleting(tenant);
    return callerOfUser(user, tenant);
  }

  function refuseEnded({ expiresAt, revokedAt, tenantId, tenant }: KnownKey): void {
    refuseOfDeleting(tenant);
    if (revokedAt) throw new EndedKeyError('The API key was revoked.', tenantId);
    if (!expiresAt || expiresAt.getTime() > clock()) return;
    const message = `The API key expired at ${expiresAt.toISOString()}. Make a new one with POST /v1/api-keys.`;
    throw new EndedKeyError(message, tenantId);
  }

  /** Counts what is refused, and looks nothing up for who was refused too often. */
  async function counted(text: string, address: string | undefined, find: () => Promise<Caller>): Promise<Caller> {
    refusals?.gate(address, text);
    try {
      const caller = await find();
      refusals?.accepted(text);
      return caller;
    } catch (error) {
      const isRefused = error instanceof AppError && error.status === 401;
      if (isRefused) refusals?.refused(address, (error instanceof EndedKeyError && error.tenantId) || undefined);
      throw error;
    }
  }

  return {
    ofKey: (text, address) => counted(text, address, () => ofKey(text)),
    // Whatever it looks like, LOGFERRY_ADMIN_KEY is a key.
    ofKeyOrToken(text, address) {
      const isToken = looksLikeToken(text) && !(configured && sameHash(hashApiKey(text), configured));
      return counted(text, address, () => (isToken ? ofToken(text).catch(explain) : ofKey(text)));
    },
  };
}

/** Its log takes no event any more, so that of the management counts it. */
function refuseOfDeleting(tenant: TenantRow | null | undefined): void {
  if (tenant?.status === 'deleting') throw unauthorized('The tenant of this key or token is being deleted.');
}

/** A key that there was: its tenant's log tells of it. */
class EndedKeyError extends AppError {
  readonly tenantId: string | null;

  constructor(message: string, tenantId: string | null) {
    super('authentication_error', message, { headers: { 'WWW-Authenticate': 'Bearer' } });
    this.tenantId = tenantId;
  }
}

function explain(error: unknown): never {
  if (error instanceof TokenError) throw unauthorized(error.message, error);
  if (!(error instanceof KeysAwayError)) throw error;
  const message =
    'The token cannot be verified just now, as the keys of its issuer cannot be had. Try again in a few seconds.';
  throw new AppError('unavailable', message, { cause: error, headers: { 'Retry-After': '5' } });
}

/** RFC 6750: the scheme in any case, one space or more, and a token without spaces. */
function bearerToken(request: Request): string | undefined {
  return /^Bearer +([!-~]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Only when no Bearer token is there: a proxy may add an Authorization of its own to what an SDK sends. */
const accessToken = (request: Request): string | undefined =>
  /^(?:Bearer +)?([!-~]+)$/i.exec(request.get('x-access-token')?.trim() ?? '')?.[1];

const missing = (request: Request) => async (): Promise<never> => {
  throw unauthorized(
    request.headers.authorization === undefined
      ? 'An API key or a token is needed. Send it as "Authorization: Bearer <key>".'
      : 'The Authorization header cannot be read. Send it as "Authorization: Bearer <key>".',
  );
};

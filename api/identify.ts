import type { Request, RequestHandler } from 'express';
import { hashApiKey, isWellFormedApiKey, sameHash, scopes } from '../core/api-keys.ts';
import type { Config } from '../core/config.ts';
import type { AppError } from '../core/errors.ts';
import type { Recent } from '../core/recent.ts';
import type { KnownKey } from '../prisma/api-keys.ts';
import { type Caller, unauthorized } from './authenticate.ts';

export type IdentifyDeps = {
  config: Pick<Config, 'LOGFERRY_ADMIN_KEY'>;
  /** Keys by their text, at most a few seconds old (see api/app.ts). */
  keys: Recent<KnownKey>;
  /** Milliseconds, for tests. */
  clock?: () => number;
};

/**
 * Finds out who calls, from `Authorization: Bearer <key>`. It refuses nobody: rate limits come first, and they count by
 * the key. requireCaller() refuses.
 */
export function identify({ config, keys, clock = Date.now }: IdentifyDeps): RequestHandler {
  const configured = config.LOGFERRY_ADMIN_KEY === undefined ? undefined : hashApiKey(config.LOGFERRY_ADMIN_KEY);
  return async (request, response, next) => {
    const token = bearerToken(request);
    if (token === undefined) response.locals.refusal = missingKey(request);
    else if (configured && sameHash(hashApiKey(token), configured)) response.locals.caller = configuredCaller;
    else {
      const key = isWellFormedApiKey(token) ? await keys.get(token) : undefined;
      if (!key)
        response.locals.refusal = unauthorized('The API key is not known: mistyped, revoked, or of another place.');
      else if (key.expiresAt && key.expiresAt.getTime() <= clock()) response.locals.refusal = expired(key.expiresAt);
      else response.locals.caller = callerOfKey(key);
    }
    next();
  };
}

const configuredCaller: Caller = {
  management: true,
  keyId: null,
  keyName: 'LOGFERRY_ADMIN_KEY',
  scopes,
  tenant: undefined,
};

const callerOfKey = (key: KnownKey): Caller => ({
  management: key.tenantId === null,
  keyId: key.id,
  keyName: key.name,
  scopes: scopes.filter((scope) => key.scopes.includes(scope)),
  tenant: key.tenant ?? undefined,
});

/** RFC 6750: the scheme in any case, one space or more, and a token without spaces. */
function bearerToken(request: Request): string | undefined {
  return /^Bearer +([!-~]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

const missingKey = (request: Request): AppError =>
  unauthorized(
    request.headers.authorization === undefined
      ? 'An API key is needed. Send it as "Authorization: Bearer <key>".'
      : 'The Authorization header cannot be read. Send it as "Authorization: Bearer <key>".',
  );

const expired = (at: Date): AppError =>
  unauthorized(`The API key expired at ${at.toISOString()}. Make a new one with POST /v1/api-keys.`);

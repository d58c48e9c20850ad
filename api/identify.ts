import type { Request, RequestHandler } from 'express';
import { hashApiKey, isWellFormedApiKey, sameHash } from '../core/api-keys.ts';
import type { Config } from '../core/config.ts';
import type { AppError } from '../core/errors.ts';
import type { Recent } from '../core/recent.ts';
import type { KnownKey } from '../prisma/api-keys.ts';
import { unauthorized } from './authenticate.ts';
import { callerOfConfiguredKey, callerOfKey } from './caller.ts';

export type IdentifyDeps = {
  config: Pick<Config, 'LOGFERRY_ADMIN_KEY'>;
  /** Keys by their text, at most a few seconds old (see api/door.ts). */
  keys: Recent<KnownKey>;
  /** Milliseconds, for tests. */
  clock?: () => number;
};

/**
 * Finds out who calls, from `Authorization: Bearer <key>` or, as SDKs of Frontegg send it, `x-access-token: <key>`. It refuses nobody: rate limits come first, and they count by
 * the key. requireCaller() refuses.
 */
export function identify({ config, keys, clock = Date.now }: IdentifyDeps): RequestHandler {
  const configured = config.LOGFERRY_ADMIN_KEY === undefined ? undefined : hashApiKey(config.LOGFERRY_ADMIN_KEY);
  return async (request, response, next) => {
    const token = bearerToken(request) ?? accessToken(request);
    if (token === undefined) response.locals.refusal = missingKey(request);
    else if (configured && sameHash(hashApiKey(token), configured))
      response.locals.caller = callerOfConfiguredKey('api_key');
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

/** RFC 6750: the scheme in any case, one space or more, and a token without spaces. */
function bearerToken(request: Request): string | undefined {
  return /^Bearer +([!-~]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Only when no Bearer token is there: a proxy may add an Authorization of its own to what an SDK sends. */
const accessToken = (request: Request): string | undefined =>
  /^([!-~]+)$/.exec(request.get('x-access-token')?.trim() ?? '')?.[1];

const missingKey = (request: Request): AppError =>
  unauthorized(
    request.headers.authorization === undefined
      ? 'An API key is needed. Send it as "Authorization: Bearer <key>".'
      : 'The Authorization header cannot be read. Send it as "Authorization: Bearer <key>".',
  );

const expired = (at: Date): AppError =>
  unauthorized(`The API key expired at ${at.toISOString()}. Make a new one with POST /v1/api-keys.`);

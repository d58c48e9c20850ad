import { createSecretKey, type KeyObject } from 'node:crypto';
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Config } from '../config.ts';
import { findUnstorableText } from '../json/json.ts';
import type { Log } from '../log.ts';
import type { Scope } from './api-keys.ts';
import { scopesOf } from './permissions.ts';
import { publicKeyAlgorithms, readPublicKey } from './public-key.ts';
import { clockToleranceSeconds, expiredToken, refuseLongToken, TokenError } from './tokens.ts';
import { fetchedKeys } from './tokens-jwks.ts';

/** A user as a verified token tells of him. */
export type User = {
  /** The tenant by its id or external id: the claim `tenantId`. */
  tenantName: string;
  /** The claim `sub`. */
  id: string | null;
  name: string | null;
  email: string | null;
  /** What the claim `permissions` gives by JWT_PERMISSIONS. Roles give nothing. */
  scopes: readonly Scope[];
};

/** The tokens that users have from the operator's own login. */
export type UserTokens = {
  /** @throws TokenError for a token that does not do; KeysAwayError when that cannot be told just now */
  read(token: string): Promise<User>;
};

export type UserTokenConfig = Pick<
  Config,
  'JWT_JWKS_URL' | 'JWT_PUBLIC_KEY' | 'JWT_SECRET' | 'JWT_ISSUER' | 'JWT_AUDIENCE' | 'JWT_PERMISSIONS'
>;

/**
 * Users' tokens as the configuration says how to verify them; undefined when it does not. Without JWT_ISSUER or JWT_AUDIENCE
 * whatever is signed with the key is taken, which the log says: right for a key that is for this alone, not for one that
 * signs tokens for other applications as well.
 * @param clock milliseconds since 1970
 */
export function openUserTokens(config: UserTokenConfig, log: Log, clock = Date.now): UserTokens | undefined {
  const verifier = verifierOf(config, log);
  if (!verifier) return undefined;
  for (const name of ['JWT_ISSUER', 'JWT_AUDIENCE'] as const) {
    if (config[name] === undefined) log.warn(`${name} is not set: users' tokens are taken whatever they say of it`);
  }
  const options = (): JWTVerifyOptions => ({
    algorithms: verifier.algorithms,
    issuer: config.JWT_ISSUER,
    audience: config.JWT_AUDIENCE,
    requiredClaims: ['exp'],
    clockTolerance: clockToleranceSeconds,
    currentDate: new Date(clock()),
  });
  return {
    async read(token) {
      refuseLongToken(token);
      return userOf(await verify(token, verifier.key, options()).catch(explain), config);
    },
  };
}

type Verifier = { key: KeyObject | JWTVerifyGetKey; algorithms: string[] };

/** A key object, never bytes: jose would take the text of a public key for the secret of an HMAC. */
function verifierOf(config: UserTokenConfig, log: Log): Verifier | undefined {
  if (config.JWT_JWKS_URL) return { key: fetchedKeys(config.JWT_JWKS_URL, log), algorithms: publicKeyAlgorithms };
  if (config.JWT_SECRET) return { key: createSecretKey(config.JWT_SECRET, 'utf8'), algorithms: ['HS256'] };
  if (!config.JWT_PUBLIC_KEY) return undefined;
  const read = readPublicKey(config.JWT_PUBLIC_KEY);
  if ('mistake' in read) throw new Error(`JWT_PUBLIC_KEY ${read.mistake}`);
  return read;
}

async function verify(token: string, key: Verifier['key'], options: JWTVerifyOptions): Promise<JWTPayload> {
  if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload;
  try {
    return (await jwtVerify(token, key, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // The token does not say which key, and several are of its type.
    for await (const candidate of error) {
      try {
        return (await jwtVerify(token, candidate, options)).payload;
      } catch (failure) {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function userOf(claims: JWTPayload, config: UserTokenConfig): User {
  const { tenantId, sub } = claims;
  if (!isText(tenantId, 256)) throw new TokenError('The token names no tenant: its claim "tenantId" must be text.');
  if (sub !== undefined && !isText(sub, 512)) {
    throw new TokenError('The claim "sub" of the token must be text of at most 512 characters.');
  }
  return {
    tenantName: tenantId,
    id: sub ?? null,
    name: isText(claims.name, 4096) ? claims.name : null,
    email: isText(claims.email, 512) ? claims.email : null,
    scopes: scopesOf(claims.permissions, config.JWT_PERMISSIONS),
  };
}

/** What an event of the audit log can hold. */
const isText = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value !== '' && value.length <= most && !findUnstorableText(value, '');

/** Says to whoever sent it enough for an honest client, and nothing that only a forger needs. */
function explain(error: unknown): never {
  if (error instanceof errors.JWTExpired) throw expiredToken(error.payload.exp, error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    const message = `The claim "${error.claim}" of the token is missing, or not what is taken here.`;
    throw new TokenError(message, { cause: error });
  }
  // Of a key in the set that is too short, jose says so by a TypeError.
  if (!(error instanceof errors.JOSEError || error instanceof TypeError)) throw error;
  const message = 'The token cannot be verified: it is damaged, or signed with another key or algorithm.';
  throw new TokenError(message, { cause: error });
}

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { KeyRing } from '../secret-key.ts';
import { clockToleranceSeconds, expiredToken, refuseLongToken } from './tokens.ts';

/** Seconds that a token of POST /auth/vendor lives. It ends earlier when its key does. */
export const keyTokenSeconds = 3600;

const credential = z.string({ error: 'is required, as text' }).min(1, 'must not be empty');

/** What POST /auth/vendor takes. */
export const credentialsSchema = z.object({
  clientId: credential.meta({ description: "The key's id" }),
  secret: credential.meta({ description: 'The key itself' }),
});

/** What a token says. `type` is `vendor` for any tenant, as Frontegg's clients know it, or `tenant` for `tenantId` alone. */
export type KeyTokenClaims = {
  type: 'vendor' | 'tenant';
  vendorId: string;
  tenantId?: string;
  scopes: readonly string[];
};

/** The tokens that POST /auth/vendor gives for API keys. */
export type KeyTokens = {
  /** @param subject whose token it is, by which read() leads back to the key */
  issue(subject: string, claims: KeyTokenClaims): Promise<string>;
  /**
   * The subject of a token that was issued here; undefined for every other text.
   * @throws TokenError when it expired
   */
  read(token: string): Promise<{ subject: string } | undefined>;
  /** The subject for a key that has no row, which changes with the key. It tells nothing of the key. */
  subjectOf(keyHash: Uint8Array): string;
  /** Whether it is that subject, or was before the secret key was changed. */
  isSubjectOf(subject: string, keyHash: Uint8Array): boolean;
};

/** Of our tokens alone; those of users are never asked for it, nor are they signed with this key. */
const identity = { issuer: 'logferry', audience: 'logferry:auth/vendor' };
const algorithm = 'HS256';

/**
 * @param tokenKeys of core/secret-key.ts: every process of a deployment has the same
 * @param clock milliseconds since 1970
 */
export function openKeyTokens(tokenKeys: KeyRing, clock: () => number = Date.now): KeyTokens {
  const [key, ...before] = tokenKeys.map((each) => createSecretKey(each));
  const verify = (token: string, by: KeyObject) =>
    jwtVerify(token, by, {
      ...identity,
      algorithms: [algorithm],
      requiredClaims: ['sub', 'exp'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock()),
    });
  /** By whichever key has signed it; the last one has the last word. */
  const verifyByAny = async (token: string) => {
    for (const by of [key!, ...before].slice(0, -1)) {
      try {
        return await verify(token, by);
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    return verify(token, [key!, ...before].at(-1)!);
  };
  const subjectBy = (tokenKey: Uint8Array, keyHash: Uint8Array) =>
    `configured-${createHmac('sha256', tokenKey).update(keyHash).digest('hex').slice(0, 32)}`;
  return {
    async issue(subject, claims) {
      const now = Math.floor(clock() / 1000);
      return await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
        .setSubject(subject)
        .setIssuer(identity.issuer)
        .setAudience(identity.audience)
        .setIssuedAt(now)
        .setExpirationTime(now + keyTokenSeconds)
        .sign(key!);
    },
    async read(token) {
      refuseLongToken(token);
      try {
        const { payload } = await verifyByAny(token);
        return { subject: payload.sub! };
      } catch (error) {
        // The signature is checked before the claims, so an expired one was issued here.
        if (error instanceof errors.JWTExpired) throw expiredToken(error.payload.exp, error);
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
    subjectOf: (keyHash) => subjectBy(tokenKeys[0], keyHash),
    isSubjectOf: (subject, keyHash) => tokenKeys.some((each) => subjectBy(each, keyHash) === subject),
  };
}

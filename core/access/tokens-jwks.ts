import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import type { Log } from '../log.ts';

/** The set of keys cannot be had just now, so nobody can say whether a token is good. */
export class KeysAwayError extends Error {
  constructor(cause: unknown) {
    super('The keys of JWT_JWKS_URL cannot be had', { cause });
    this.name = 'KeysAwayError';
  }
}

/** Milliseconds. */
export const jwksTimes = {
  /** For one request. */
  timeout: 5_000,
  /** The set is loaded anew at this age, while tokens are verified by the one that is there. */
  refresh: 600_000,
  /** Beyond this age it is not used any more: a key that its issuer has withdrawn must not live for ever. */
  mostAge: 86_400_000,
  /** A key that is not in the set makes it be loaded anew, but not more often than this. */
  cooldown: 30_000,
  /** After a failure nothing is asked for so long. */
  pause: 5_000,
};

/** Bytes of a set. Those of the largest issuers have some 10,000. */
const mostBytes = 1024 * 1024;

/**
 * Finds the key of a token in the set at `url`, which is kept. While its server is away, the set that was loaded last serves.
 * Redirects are not followed. What the token itself says of keys (`jku`, `x5u`, `jwk`) is not looked at.
 *
 * It throws KeysAwayError when there is no set to be had, and errors of jose for a key that is not in it.
 */
export function fetchedKeys(url: string, log: Log, times = jwksTimes): JWTVerifyGetKey {
  let loadedAt = -Infinity;
  let failure: { at: number; error: unknown } | undefined;
  const load = async (href: string, options: RequestInit): Promise<Response> => {
    // Without this, every token with a key of its own making would be a request to a server that is in trouble.
    if (failure && performance.now() - failure.at < times.pause) throw failure.error;
    try {
      const set = await fetchJson(href, options);
      if (failure) log.info({ url }, "the keys of users' tokens can be had again");
      failure = undefined;
      loadedAt = performance.now();
      return Response.json(set);
    } catch (error) {
      if (!failure) log.warn({ err: error, url }, "the keys of users' tokens cannot be had");
      failure = { at: performance.now(), error };
      throw error;
    }
  };
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: times.timeout,
    cooldownDuration: times.cooldown,
    cacheMaxAge: times.mostAge,
    [customFetch]: load,
  });
  return async (header, token) => {
    if (keys.fresh && performance.now() - loadedAt > times.refresh) keys.reload().catch(() => {});
    try {
      return await keys(header, token);
    } catch (error) {
      if (aboutTheToken.some((kind) => error instanceof kind)) throw error;
      throw new KeysAwayError(error);
    }
  };
}

const aboutTheToken = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

async function fetchJson(href: string, options: RequestInit): Promise<unknown> {
  const response = await fetch(href, options);
  if (response.status !== 200) throw new Error(`The server answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`The set has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

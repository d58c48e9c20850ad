/**
 * Characters of a token that is looked at. Those with hundreds of permissions have some 8,000; one of millions would only
 * cost the time to check its signature.
 */
export const longestToken = 16_384;

/** Seconds by which clocks of different machines may differ. */
export const clockToleranceSeconds = 5;

/** A token that does not do. The message is for whoever sent it. */
export class TokenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TokenError';
  }
}

/** Whether the text could be a signed token: three parts of base64url with dots between (RFC 7515 section 7.1). */
export const looksLikeToken = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);

/** @throws TokenError for one that is too long to be looked at */
export function refuseLongToken(token: string): void {
  if (token.length > longestToken) throw new TokenError(`The token has more than ${longestToken} characters.`);
}

/** What to say of a token that was good once. */
export const expiredToken = (exp: unknown, cause: unknown): TokenError => {
  const at = new Date(Number(exp) * 1000);
  const when = Number.isNaN(at.getTime()) ? '' : ` at ${at.toISOString()}`;
  return new TokenError(`The token expired${when}. Get a new one.`, { cause });
};

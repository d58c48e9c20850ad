import { createPublicKey, type KeyObject } from 'node:crypto';

/** A key that verifies users' tokens, and the algorithms that go with it and no other. */
export type PublicKey = { key: KeyObject; algorithms: string[] };

/** RFC 7518 section 3.3: shorter ones must not be used. */
const leastRsaBits = 2048;

/**
 * Reads a public key or a certificate in PEM; line ends may be written as `\n`, as in files of variables.
 * @returns what is wrong with it instead, without repeating it
 */
export function readPublicKey(text: string): PublicKey | { mistake: string } {
  const pem = text.replaceAll('\\n', '\n').trim();
  if (/PRIVATE KEY/.test(pem))
    return { mistake: 'is a private key, which nobody but the issuer of tokens should have' };
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return { mistake: 'must be a public key or certificate in PEM (-----BEGIN PUBLIC KEY-----)' };
  }
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength! < leastRsaBits) {
    return { mistake: `is an RSA key of ${modulusLength} bits; tokens need ${leastRsaBits}` };
  }
  const algorithms = algorithmsOf[namedCurve ?? key.asymmetricKeyType!];
  return algorithms ? { key, algorithms } : { mistake: `must be one of: ${Object.keys(algorithmsOf).join(', ')}` };
}

/** One algorithm for each type of key, so that none is used in a way that it was not made for. */
const algorithmsOf: Record<string, string[]> = {
  rsa: ['RS256'],
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
  // RFC 9864 names by its curve what RFC 8037 called EdDSA.
  ed25519: ['EdDSA', 'Ed25519'],
};

/** All of them, for key sets, whose keys say themselves of which type they are. */
export const publicKeyAlgorithms: string[] = Object.values(algorithmsOf).flat();

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto';

/** The public half of an Ed25519 key that signs checkpoints and receipts. `kid` is its thumbprint by RFC 7638. */
export type PublicSigningKey = { kid: string; publicKey: Buffer };

/** A key that signs. */
export type SigningKey = PublicSigningKey & {
  /** 64 bytes (RFC 8032). */
  sign(message: Uint8Array): Buffer;
};

/** Makes a new key. `secret` is what is stored of it, sealed: the 32 bytes of the private key in base64url. */
export function makeSigningKey(): PublicSigningKey & { secret: string } {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return { ...publicKeyOf(Buffer.from(x!, 'base64url')), secret: d! };
}

/** The key of what makeSigningKey() gave to be stored. @throws if the two do not belong together */
export function openSigningKey(publicKey: Uint8Array, secret: string): SigningKey {
  const jwk: JsonWebKey = { ...publicJwk(publicKey), d: secret };
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  // What is imported is `d` alone: an `x` that is not its own would give signatures that nobody can verify.
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  if (x !== jwk.x) throw new Error('The stored halves of the signing key do not belong together');
  return { ...publicKeyOf(publicKey), sign: (message) => sign(null, message, key) };
}

const publicKeyOf = (publicKey: Uint8Array): PublicSigningKey => ({
  kid: createHash('sha256')
    .update(JSON.stringify(publicJwk(publicKey)))
    .digest('base64url'),
  publicKey: Buffer.from(publicKey),
});

/** The members that RFC 7638 section 3.2 and RFC 8037 section 2 make the thumbprint of, in their order. */
const publicJwk = (publicKey: Uint8Array) => ({
  crv: 'Ed25519' as const,
  kty: 'OKP' as const,
  x: Buffer.from(publicKey).toString('base64url'),
});

/** A key as the public key set shows it. */
export const jwkOf = ({ kid, publicKey }: PublicSigningKey) => ({
  ...publicJwk(publicKey),
  alg: 'Ed25519' as const,
  use: 'sig' as const,
  kid,
});

import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** What a good token is made of, and what a forger may know: everything but the private key. */
export type Forge = {
  alg: string;
  kid: string;
  /** What signs good tokens: a private key, or the secret. */
  key: KeyObject;
  /** The key that verifies as a forger may write it: the PEM of the public key, or the name of the secret. */
  publicText: string;
  issuer: string;
  audience: string;
  /** Where a forger has a set with a key of his own. */
  forgersUrl: string;
  /** Seconds since 1970. */
  now: number;
};

type Claims = Record<string, unknown>;
type Header = Record<string, unknown>;

/** The claims of a token that does. */
export const goodClaims = ({ issuer, audience, now }: Forge): Claims => ({
  sub: 'usr_1',
  name: 'Ana',
  email: 'ana@example.com',
  tenantId: 'acme',
  permissions: ['fe.secure.read.audits'],
  roles: ['Admin'],
  iss: issuer,
  aud: audience,
  iat: now,
  exp: now + 300,
});

export const goodToken = (forge: Forge, claims: Claims = {}, header: Header = {}): string =>
  signed(forge, { ...goodClaims(forge), ...claims }, header);

const text = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token by hand, as no library would make most of these. */
export function signed({ alg, kid, key }: Forge, claims: unknown, header: Header = {}): string {
  const input = `${text({ alg, kid, typ: 'JWT', ...header })}.${text(claims)}`;
  return `${input}.${signatureOf(input, String(header.alg ?? alg), key)}`;
}

function signatureOf(input: string, alg: string, key: KeyObject): string {
  const bits = alg.slice(-3);
  if (key.type === 'secret')
    return createHmac(`sha${/^\d+$/.test(bits) ? bits : 256}`, key)
      .update(input)
      .digest('base64url');
  const data = Buffer.from(input);
  if (key.asymmetricKeyType === 'ed25519') return sign(null, data, key).toString('base64url');
  const padding = alg.startsWith('PS') ? { padding: 6, saltLength: Number(bits) / 8 } : {};
  return sign(`sha${bits}`, data, { key, dsaEncoding: 'ieee-p1363', ...padding }).toString('base64url');
}

const secretOf = (bytes: string): KeyObject => createSecretKey(Buffer.from(bytes));
const forgersKey = generateKeyPairSync('rsa', { modulusLength: 2048 });
const forgersJwk = { ...forgersKey.publicKey.export({ format: 'jwk' }), kid: 'forger', alg: 'RS256', use: 'sig' };

/** The forger's own signature, with whatever header tells to believe it. */
const byForger = (forge: Forge, header: Header, claims: Claims = {}): string =>
  signed(
    { ...forge, alg: 'RS256', kid: 'forger', key: forgersKey.privateKey },
    { ...goodClaims(forge), ...claims },
    header,
  );

/** The set of the forger, for `jku`. */
export const forgersSet = { keys: [forgersJwk] };

/** Tokens that must not do, by what is wrong with them. Everything else about each is right. */
export const forgeries: Record<string, (forge: Forge) => string> = {
  'without a signature (alg none)': (forge) => `${text({ alg: 'none' })}.${text(goodClaims(forge))}.`,
  'with alg nOnE and the signature of another token': (forge) =>
    `${text({ alg: 'nOnE', kid: forge.kid })}.${text(goodClaims(forge))}.${goodToken(forge).split('.')[2]}`,
  'without an alg': (forge) => signed(forge, goodClaims(forge), { alg: undefined }),
  'signed by HMAC with the text of the public key': (forge) =>
    signed({ ...forge, alg: 'HS256', key: secretOf(forge.publicText) }, goodClaims(forge)),
  'signed by HMAC with nothing': (forge) => signed({ ...forge, alg: 'HS256', key: secretOf('') }, goodClaims(forge)),
  'signed with another algorithm of the right key': (forge) =>
    signed(forge, goodClaims(forge), {
      alg: { RS256: 'PS256', ES256: 'ES384', HS256: 'HS512', EdDSA: 'RS256' }[forge.alg],
    }),
  'signed with another key under the kid of the right one': (forge) => byForger(forge, { kid: forge.kid }),
  'with a kid that leads out of a directory': (forge) => byForger(forge, { kid: '../../../../dev/null' }),
  'with a kid that is SQL': (forge) => byForger(forge, { kid: `' union select 'secret` }),
  'with the key itself in the header (jwk)': (forge) => byForger(forge, { jwk: forgersJwk }),
  'with the address of another set (jku)': (forge) => byForger(forge, { jku: forge.forgersUrl }),
  'with the address of another certificate (x5u, x5c)': (forge) =>
    byForger(forge, {
      x5u: forge.forgersUrl,
      x5c: [forgersKey.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    }),
  'with an extension that must be understood (crit)': (forge) =>
    goodToken(forge, {}, { crit: ['urn:example:only-there'], 'urn:example:only-there': true }),
  'with its payload not encoded (b64)': (forge) => goodToken(forge, {}, { crit: ['b64'], b64: false }),
  'whose payload was changed': (forge) => {
    const [header, , signature] = goodToken(forge).split('.');
    return `${header}.${text({ ...goodClaims(forge), tenantId: 'other' })}.${signature}`;
  },
  'whose header was changed': (forge) => {
    const [, payload, signature] = goodToken(forge).split('.');
    return `${text({ alg: forge.alg, kid: forge.kid, typ: 'at+jwt' })}.${payload}.${signature}`;
  },
  'with a signature that was cut': (forge) => goodToken(forge).slice(0, -4),
  'of another issuer': (forge) => goodToken(forge, { iss: 'https://evil.example.com' }),
  'without an issuer': (forge) => goodToken(forge, { iss: undefined }),
  'for another audience': (forge) => goodToken(forge, { aud: 'another-application' }),
  'without an audience': (forge) => goodToken(forge, { aud: undefined }),
  'that expired': (forge) => goodToken(forge, { exp: forge.now - 60 }),
  'that never expires': (forge) => goodToken(forge, { exp: undefined }),
  'whose end is text': (forge) => goodToken(forge, { exp: '9999999999' }),
  'that is not valid yet': (forge) => goodToken(forge, { nbf: forge.now + 3600 }),
  'that names no tenant': (forge) => goodToken(forge, { tenantId: undefined }),
  'that names a list of tenants as its tenant': (forge) => goodToken(forge, { tenantId: ['acme', 'other'] }),
  'whose payload is a list': (forge) => signed(forge, [goodClaims(forge)]),
  'whose payload is a token': (forge) => signed(forge, goodToken(forge), { cty: 'JWT' }),
  'that is encrypted (five parts)': () =>
    `${text({ alg: 'dir', enc: 'A256GCM' })}..${text('x')}.${text('y')}.${text('z')}`,
  'that is too long': (forge) => goodToken(forge, { padding: 'x'.repeat(20_000) }),
};

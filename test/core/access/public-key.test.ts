import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readPublicKey } from '../../../core/access/public-key.ts';
import { selfSignedCertificate } from '../../self-signed-certificate.ts';

const spki = ({ publicKey }: { publicKey: KeyObject }) => publicKey.export({ type: 'spki', format: 'pem' }).toString();

describe('readPublicKey', () => {
  it.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }), ['RS256']],
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }), ['ES256']],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }), ['ES384']],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }), ['ES512']],
    ['Ed25519', generateKeyPairSync('ed25519'), ['EdDSA', 'Ed25519']],
  ])('gives a key of %s the algorithms that it was made for', (_what, pair, algorithms) => {
    expect(readPublicKey(spki(pair))).toMatchObject({ algorithms });
    expect(readPublicKey(`\n${spki(pair).replaceAll('\n', '\\n')}  `)).toMatchObject({ algorithms });
  });

  it('takes a certificate', () => {
    expect(readPublicKey(selfSignedCertificate('login.example.com').cert)).toMatchObject({ algorithms: ['ES256'] });
  });

  it.each([
    ['a private key', selfSignedCertificate('x').key, 'private key'],
    ['a short key', spki(generateKeyPairSync('rsa', { modulusLength: 1024 })), '1024 bits; tokens need 2048'],
    ['a curve that no algorithm uses', spki(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), 'must be one of'],
    ['a key for PS256', spki(generateKeyPairSync('rsa-pss', { modulusLength: 2048 })), 'must be one of'],
    ['a key to encrypt with', spki(generateKeyPairSync('x25519')), 'must be one of'],
    ['something else', 'a secret', 'must be a public key'],
    ['nothing', '', 'must be a public key'],
  ])('refuses %s, and does not repeat it', (_what, text, mistake) => {
    const read = readPublicKey(text) as { mistake: string };
    expect(read.mistake).toContain(mistake);
    if (text) expect(read.mistake).not.toContain(text);
  });
});

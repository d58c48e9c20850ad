import { createHash } from 'node:crypto';
import type { PublicSigningKey, SigningKey } from './signing-key.ts';

/** The type of a key and its signatures: plain Ed25519 (c2sp.org/signed-note). */
const ed25519 = 0x01;

/** Of four bytes, by which a signature says which key it is of: SHA-256(name ‖ 0x0a ‖ type ‖ public key). */
const keyIdOf = (name: string, { publicKey }: PublicSigningKey): Buffer =>
  createHash('sha256').update(`${name}\n`).update(typed(publicKey)).digest().subarray(0, 4);

const typed = (publicKey: Uint8Array): Buffer => Buffer.concat([Buffer.of(ed25519), publicKey]);

/** The key as verifiers take it (vkey): `name+key id+base64 of type and key`. */
export const verifierKey = (name: string, key: PublicSigningKey): string =>
  `${name}+${keyIdOf(name, key).toString('hex')}+${typed(key.publicKey).toString('base64')}`;

/**
 * The text with the signature of the key below it, as c2sp.org/signed-note writes it.
 * @param text lines, each ended by a line feed, none empty
 * @param name of the key, and no spaces or "+" in it
 */
export function signNote(text: string, name: string, key: SigningKey): string {
  const signature = Buffer.concat([keyIdOf(name, key), key.sign(Buffer.from(text))]);
  return `${text}\n— ${name} ${signature.toString('base64')}\n`;
}

/** Whether a text can be the name of a key: not empty, without a space of any alphabet and without "+". */
export const isKeyName = (text: string): boolean => text !== '' && text.isWellFormed() && !/[\s+]/u.test(text);

import type { SigningKey } from './signing-key.ts';

/** The type of the predicate of our statements. */
export const receiptType = 'https://logferry.dev/attestations/export/v1';
/** What a receipt is served as. */
export const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const payloadType = 'application/vnd.in-toto+json';

/** A file that a statement is about; SHA-256 in hex. */
export type ReceiptSubject = { name: string; sha256: string };

/** The statement that these files are what the predicate says (in-toto Statement v1), as the bytes to sign. */
export const exportStatement = (subjects: readonly ReceiptSubject[], predicate: object): Buffer =>
  Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
      predicateType: receiptType,
      predicate,
    }),
  );

/** A Sigstore bundle v0.3 of one DSSE envelope, verified by the public key of this `kid` and nothing else. */
export function signBundle(payload: Buffer, key: SigningKey): string {
  const signature = key.sign(preAuthentication(payload)).toString('base64');
  return JSON.stringify({
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: key.kid } },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType,
      signatures: [{ sig: signature, keyid: key.kid }],
    },
  });
}

/** What DSSE v1 signs (PAE): the type and the payload, each behind its length in bytes. */
const preAuthentication = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload]);

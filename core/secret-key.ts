import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** LOGFERRY_SECRET_KEY and what is derived from it. One key a purpose, so that none can be used for another. */
export type SecretKey = {
  /** Seals a text with AES-256-GCM: 12 bytes nonce, 16 bytes tag, ciphertext. */
  seal(text: string): Buffer<ArrayBuffer>;
  /** @throws if the bytes were sealed with another key or changed */
  open(sealed: Uint8Array): string;
  /** HMAC key for the links of the file storage. */
  linkKey: Buffer;
  /** HMAC key for the tokens of POST /auth/vendor. */
  tokenKey: Buffer;
  /** Tells two keys apart without telling the key: 16 hex digits. */
  fingerprint: string;
  /** A UUID that is this installation's own and every process's the same: `vendorId` in what Frontegg's clients see. */
  environmentId: string;
};

/** @param base64 32 bytes in base64, as readConfig() has checked */
export function secretKey(base64: string): SecretKey {
  const key = Buffer.from(base64, 'base64');
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', key, '', `logferry ${purpose}`, 32));
  const sealKey = derive('seal');
  return {
    seal(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealKey, nonce);
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
    },
    open(sealed) {
      const decipher = createDecipheriv('aes-256-gcm', sealKey, sealed.subarray(0, 12));
      decipher.setAuthTag(sealed.subarray(12, 28));
      return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]).toString('utf8');
    },
    linkKey: derive('links'),
    tokenKey: derive('tokens'),
    fingerprint: createHash('sha256').update(derive('fingerprint')).digest('hex').slice(0, 16),
    environmentId: uuidOf(derive('environment')),
  };
}

/** A UUIDv8 (RFC 9562 section 5.8) of the first 16 bytes. */
function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}

export const newSecretKey = (): string => randomBytes(32).toString('base64');

/** Where the local mode keeps its secret key, in LOGFERRY_DATA. */
export const secretKeyFile = 'secret-key';

/** The text kept in `directory`/`name`, or undefined if there is no such file. */
export async function readSecret(directory: string, name: string): Promise<string | undefined> {
  try {
    return (await readFile(join(directory, name), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The text kept in `directory`/`name`, made by `make` when there is none yet (readable by the owner alone). Processes
 * that start together agree on one.
 * @returns `isNew` when this call has made it
 */
export async function keptSecret(
  directory: string,
  name: string,
  make: () => string,
): Promise<{ text: string; isNew: boolean }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const isNew = await writeFile(join(directory, name), `${make()}\n`, { flag: 'wx', mode: 0o600 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      return false;
    },
  );
  return { text: (await readSecret(directory, name))!, isNew };
}

import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * LOGFERRY_SECRET_KEY and what is derived from it, one key a purpose, so that none can be used for another. With
 * LOGFERRY_SECRET_KEY_PREVIOUS what was made with the keys before is still read; everything new is made with this one.
 */
export type SecretKey = {
  /** Seals a text with AES-256-GCM: 12 bytes nonce, 16 bytes tag, ciphertext. */
  seal(text: string): Buffer<ArrayBuffer>;
  /** @throws if the bytes were sealed with another key or changed */
  open(sealed: Uint8Array): string;
  /** Whether open() needs none of the keys before. */
  isSealedAnew(sealed: Uint8Array): boolean;
  /** HMAC keys for the links of the file storage: the first signs, all verify. */
  linkKeys: KeyRing;
  /** HMAC keys for the tokens of POST /auth/vendor: the first signs, all verify. */
  tokenKeys: KeyRing;
  /** Tells two keys apart without telling the key: 16 hex digits. */
  fingerprint: string;
  /** The keys before it, by what is known of them. */
  previous: readonly Pick<SecretKey, 'fingerprint' | 'environmentId'>[];
  /** A UUID that is this installation's own and every process's the same: `vendorId` in what Frontegg's clients see. */
  environmentId: string;
};

/** The present key, and those before it. */
export type KeyRing = readonly [Buffer, ...Buffer[]];

/**
 * @param base64 32 bytes in base64, as readConfig() has checked
 * @param previous keys before it, in the same form
 */
export function secretKey(base64: string, previous: readonly string[] = []): SecretKey {
  const present = derivedFrom(base64);
  const before = previous.map(derivedFrom);
  const open = (sealed: Uint8Array): string => {
    for (const { seal } of [present, ...before]) {
      const text = openWith(seal, sealed);
      if (text !== undefined) return text;
    }
    throw new Error('It was sealed with another secret key, or was changed');
  };
  return {
    seal: (text) => sealWith(present.seal, text),
    open,
    isSealedAnew: (sealed) => openWith(present.seal, sealed) !== undefined,
    linkKeys: [present.links, ...before.map(({ links }) => links)],
    tokenKeys: [present.tokens, ...before.map(({ tokens }) => tokens)],
    fingerprint: present.fingerprint,
    previous: before.map(({ fingerprint, environmentId }) => ({ fingerprint, environmentId })),
    environmentId: present.environmentId,
  };
}

/** What one key gives for each purpose. */
function derivedFrom(base64: string) {
  const key = Buffer.from(base64, 'base64');
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', key, '', `logferry ${purpose}`, 32));
  return {
    seal: derive('seal'),
    links: derive('links'),
    tokens: derive('tokens'),
    fingerprint: createHash('sha256').update(derive('fingerprint')).digest('hex').slice(0, 16),
    environmentId: uuidOf(derive('environment')),
  };
}

function sealWith(key: Buffer, text: string): Buffer<ArrayBuffer> {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
}

/** Undefined for what was sealed with another key or changed. */
function openWith(key: Buffer, sealed: Uint8Array): string | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12));
    decipher.setAuthTag(sealed.subarray(12, 28));
    return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
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

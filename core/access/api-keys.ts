import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { oneOf, strictObject } from '../strict-object.ts';
import { shortText } from '../tenants.ts';
import { parseTimestamp, timePatterns } from '../times.ts';

/** What a key may be allowed to do. */
export const scopes = [
  'events:read',
  'events:write',
  'export',
  'webhooks:manage',
  'keys:manage',
  'verify',
  'erase',
] as const;
export type Scope = (typeof scopes)[number];
/** Those that a key made without `scopes` does not get, whatever its maker has: they are given by name only. */
export const scopesByName: readonly Scope[] = ['erase'];

/** How a key begins, by whose it is. */
const beginnings = { tenant: 'lf_sk_', management: 'lf_admin_' } as const;
export type KeyKind = keyof typeof beginnings;

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomCharacters = 30;
const checksumCharacters = 6;
/** Random characters that are kept readable, to find the key's row and to recognise the key in a list. */
const publicCharacters = 8;

const pattern = new RegExp(
  `^(?:${Object.values(beginnings).join('|')})[0-9A-Za-z]{${randomCharacters + checksumCharacters}}$`,
);

/**
 * A new key: `lf_sk_` or `lf_admin_`, 30 random base62 characters (178 bits), and 6 base62 digits of the CRC-32 of all
 * that stands before them.
 */
export function makeApiKey(kind: KeyKind): string {
  let key: string = beginnings[kind];
  for (let i = 0; i < randomCharacters; i++) key += alphabet[randomInt(alphabet.length)];
  return key + checksum(key);
}

/**
 * Whether the text could be a key that was made here. A mistyped key fails the checksum (but for one in four thousand
 * million), and so costs no query.
 */
export function isWellFormedApiKey(text: string): boolean {
  if (!pattern.test(text)) return false;
  const end = text.length - checksumCharacters;
  return checksum(text.slice(0, end)) === text.slice(end);
}

/** The part of a key that may be shown and stored: `lf_sk_` and the first 8 random characters. */
export const apiKeyPrefix = (key: string): string => key.slice(0, key.lastIndexOf('_') + 1 + publicCharacters);

/** What is stored of a key: its SHA-256. A key has 178 random bits, so a slow hash would add nothing. */
export const hashApiKey = (key: string): Buffer<ArrayBuffer> => createHash('sha256').update(key, 'utf8').digest();

/** Compares two hashes of keys in constant time. */
export const sameHash = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

/** CRC-32 in base62, most significant digit first. 62^6 is more than 2^32, so 6 digits hold any. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let i = 0; i < checksumCharacters; i++) {
    digits = alphabet[rest % alphabet.length] + digits;
    rest = Math.floor(rest / alphabet.length);
  }
  return digits;
}

/** What POST /v1/api-keys takes. Scopes left out are those of the caller. */
export const newApiKeySchema = strictObject({
  name: shortText(256),
  scopes: z
    .array(oneOf('scope', scopes), { error: `must be a list of scopes. Allowed: ${scopes.join(', ')}` })
    .min(1, `must name at least one scope. Allowed: ${scopes.join(', ')}`)
    .meta({ description: 'Those of the caller when left out' })
    .transform((asked) => scopes.filter((scope) => asked.includes(scope)))
    .optional(),
  tenant_id: shortText(256).optional(),
  expires_at: z
    .string({ error: 'must be a time, as text' })
    .meta({ pattern: timePatterns.time, description: 'RFC 3339, in the future' })
    .transform((text, context) => {
      const time = parseTimestamp(text);
      if (time) return time;
      context.addIssue({ code: 'custom', message: 'must be an RFC 3339 time such as 2027-01-01T00:00:00Z' });
      return z.NEVER;
    })
    .nullish(),
});

import { hash } from 'node:crypto';
import { compartments, type OfEach } from './compartments.ts';
import { seedBytes } from './seeds.ts';

/** Bytes of a SHA-256. */
export const hashBytes = 32;
/** Bytes of the salt of one compartment. */
export const saltBytes = 16;

/** What stands before the bytes of each hash, so that none can be taken for one of another kind. */
const prefixes = { commitment: 0x10, digest: 0x20, hash: 0x30 };

/*
 * The buffers below are used again for every event, and hashes come as Latin-1, a character for each byte: a Buffer of its
 * own for each of the ten hashes of an event takes three times as long as the hashes.
 */
const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, 'binary');

const seeded = Buffer.alloc(1 + seedBytes);
const salts = Buffer.alloc(2 * 64);

/**
 * Derives the salts of an event: the salt of compartment k is bytes 16k to 16k + 15 of SHA-512(0x00 ‖ seed) ‖ SHA-512(0x01 ‖ seed).
 * @returns those bytes; valid until the next call
 */
export function saltsOf(seed: Uint8Array): Buffer {
  seeded.set(seed, 1);
  for (const half of [0, 1]) {
    seeded[0] = half;
    salts.write(hash('sha512', seeded, 'binary'), 64 * half, 'binary');
  }
  return salts;
}

/** Bytes of a compartment that fit into the buffer that is kept; an event has a few hundred. */
const keptBytes = 16 * 1024;
const kept = Buffer.alloc(1 + saltBytes + keptBytes);

/** Bytes that a UTF-16 code unit takes at most in UTF-8. */
const mostUtf8 = 3;

function commitment(index: number, salt: Uint8Array, canonical: string): string {
  const fits = mostUtf8 * canonical.length <= keptBytes;
  const bytes = fits ? kept : Buffer.allocUnsafe(1 + saltBytes + Buffer.byteLength(canonical));
  bytes[0] = prefixes.commitment + index;
  bytes.set(salt, 1);
  const end = 1 + saltBytes + bytes.write(canonical, 1 + saltBytes, 'utf8');
  return hash('sha256', bytes.subarray(0, end), 'binary');
}

/**
 * The commitment of the compartment of this index: SHA-256(byte 0x10 + k ‖ salt ‖ canonical JSON).
 * @param canonical its members as RFC 8785 has them
 */
export const commitmentOf = (index: number, salt: Uint8Array, canonical: string): Buffer =>
  bytesOf(commitment(index, salt, canonical));

const digested = Buffer.alloc(1 + compartments.length * hashBytes);

/** The digest of an event: SHA-256(0x20 ‖ the six commitments). */
export function digestOfCommitments(commitments: OfEach<Uint8Array>): Buffer {
  digested[0] = prefixes.digest;
  for (const [index, each] of commitments.entries()) digested.set(each, 1 + hashBytes * index);
  return bytesOf(hash('sha256', digested, 'binary'));
}

/** The digest of an event of this seed, of which these are the compartments as canonical JSON (RFC 8785). */
export function digestOf(seed: Uint8Array, canonical: OfEach<string>): Buffer {
  const all = saltsOf(seed);
  digested[0] = prefixes.digest;
  for (let index = 0; index < compartments.length; index++) {
    const salt = all.subarray(saltBytes * index, saltBytes * (index + 1));
    digested.write(commitment(index, salt, canonical[index]!), 1 + hashBytes * index, 'binary');
  }
  return bytesOf(hash('sha256', digested, 'binary'));
}

const linked = Buffer.alloc(1 + hashBytes + 8 + hashBytes);

/**
 * The hash of an event, as hex: SHA-256(0x30 ‖ hash of the event before ‖ sequence number, 8 bytes big-endian ‖ digest).
 * @param previousHash as hex; 64 zeros before the first event
 * @param sequenceNumber a safe integer
 */
export function hashOf(previousHash: string, sequenceNumber: number, digest: Uint8Array): string {
  linked[0] = prefixes.hash;
  linked.write(previousHash, 1, 'hex');
  const high = Math.floor(sequenceNumber / 2 ** 32);
  linked.writeUInt32BE(high, 1 + hashBytes);
  linked.writeUInt32BE(sequenceNumber - high * 2 ** 32, 1 + hashBytes + 4);
  linked.set(digest, 1 + hashBytes + 8);
  return hash('sha256', linked, 'hex');
}

const kibibyte = 1024;
const mebibyte = 1024 * 1024;

/** Bytes of a request's head: a filter of many values in a query needs more than Node's 16 KiB. */
export const headLimitBytes = 64 * kibibyte;

/** Milliseconds that a client has to send the head of a request. */
export const headTimeoutMs = 10_000;

/** Bytes that a JSON body may have as unpacked: of most calls, of a batch of events, and of what asks for a token (an id and a key). */
export const bodyLimitBytes = { usual: mebibyte, batch: 16 * mebibyte, token: 16 * kibibyte };

/** A body has so long, and a second more for so many bytes of it: half-sent ones must not be held for ever. */
export const bodyDeadline = { ms: 30_000, bytesPerSecond: 16 * kibibyte };

/** In each span of so long, a client must send so much: one that has gone, or is slower than any that means it, holds a place. */
export const leastRate = { spanMs: 30_000, bytes: 30 * kibibyte };

/** How much longer than what was sent a body may be when unpacked, beyond the first bytes: a bomb is refused, text is not. */
export const unpacking = { mostRatio: 200, freeBytes: 16 * mebibyte };

/**
 * Bytes of unpacked text that the decoder of each content coding may keep. RFC 9659 has zstd in HTTP keep to 8 MiB; without a
 * bound a few bytes of a client have it take 128 MiB.
 */
export const windowBytes = { gzip: 32 * kibibyte, deflate: 32 * kibibyte, br: 16 * mebibyte, zstd: 8 * mebibyte };

/** Bytes that one line of NDJSON may have. */
export const lineLimitBytes = 16 * mebibyte;

/** Blank lines of NDJSON one after the other: each costs work and brings nothing. */
export const mostBlankLines = 10_000;

/** A chunk of an NDJSON stream is full with so many events or so many bytes of lines: this bounds the memory of one stream. */
export const chunkLimits = { events: 1000, bytes: 2 * mebibyte };

/** What a client goes on sending after an early reply is read and thrown away for so many milliseconds; then the connection is cut. */
export const lingerMs = 10_000;

/**
 * Milliseconds that a body waits for memory: one in all; a long NDJSON stream each time, once it has a place in the database,
 * as what it did until then would be in vain if it gave up.
 */
export const memoryWaitMs = { body: 5_000, stream: 30_000 };

import type { Readable } from 'node:stream';
import zlib from 'node:zlib';
import type { Request } from 'express';
import { AppError, invalid } from '../../core/errors.ts';

/** One line of an NDJSON body without its line break, and its number, counted from 1, blank lines included. */
export type Line = { number: number; bytes: Buffer };

/** Bytes that one line may have. */
export const lineLimitBytes = 16 * 1024 * 1024;
/** In each span of so long, a client must send so much: one that has gone, or is slower than any that means it, holds a place. */
const leastRate = { spanMs: 30_000, bytes: 30 * 1024 };
/** How much longer than what was sent it may be when unpacked, beyond the first bytes: a bomb is refused, text is not. */
const unpacking = { mostRatio: 200, freeBytes: 16 * 1024 * 1024 };
/** Blank lines one after the other. */
const mostBlank = 10_000;
/** What a client goes on sending after the reply is read and thrown away for so long; then the connection is cut. */
const lingerMs = 10_000;

const decoders: Record<string, () => zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress | zlib.ZstdDecompress> = {
  gzip: zlib.createGunzip,
  'x-gzip': zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
  zstd: zlib.createZstdDecompress,
};

/**
 * Reads the lines of a body as they arrive, a few at a time, blank ones left out. It holds no more than one line and what
 * came with it: who stops asking stops the client.
 * @throws AppError payload_too_large for a line beyond the limit, bad_request when the client hangs up, falls silent, or
 *   sends what cannot be unpacked, unsupported_media_type for another Content-Encoding
 */
export async function* readLines(request: Request, limitBytes = lineLimitBytes): AsyncGenerator<Line[]> {
  let number = 0;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  let blank = 0;
  const take = (bytes: Buffer, lines: Line[]) => {
    number++;
    const whole = begunBytes === 0 ? bytes : Buffer.concat([...begun, bytes]);
    if (whole.length > limitBytes) throw lineTooLong(number, limitBytes);
    [begun, begunBytes] = [[], 0];
    if (!isBlank(whole)) lines.push({ number, bytes: whole });
    blank = isBlank(whole) ? blank + 1 : 0;
    if (blank > mostBlank) throw invalid([{ path: `line ${number}`, message: `follows ${mostBlank} blank lines` }]);
  };
  for await (const chunk of readChunks(request)) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end), lines);
      start = end + 1;
    }
    if (start < chunk.length) {
      begun.push(chunk.subarray(start));
      begunBytes += chunk.length - start;
      if (begunBytes > limitBytes) throw lineTooLong(number + 1, limitBytes);
    }
    if (lines.length > 0) yield lines;
  }
  const last: Line[] = [];
  if (begunBytes > 0) take(Buffer.alloc(0), last);
  if (last.length > 0) yield last;
}

const lineTooLong = (number: number, limitBytes: number): AppError =>
  new AppError('payload_too_large', `Line ${number} is longer than ${limitBytes} bytes, the most that is taken.`);

const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 32 || byte === 9 || byte === 13);

/** The body's bytes, unpacked. The request itself is never destroyed: its connection is still needed for the reply. */
async function* readChunks(request: Request): AsyncGenerator<Buffer> {
  const body = unpacked(request);
  const chunks = body.iterator({ destroyOnReturn: false });
  // Only what the client has us wait for counts: how long we take for what it sent is our own affair.
  const span = { waitedMs: 0, bytes: 0 };
  let unpackedBytes = 0;
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(tooSlow()), leastRate.spanMs - span.waitedMs);
      const askedAt = performance.now();
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      const chunk = next.value as Buffer;
      span.waitedMs += performance.now() - askedAt;
      span.bytes += chunk.length;
      if (span.bytes >= leastRate.bytes) Object.assign(span, { waitedMs: 0, bytes: 0 });
      unpackedBytes += chunk.length;
      if (body !== request) refuseBomb(unpackedBytes, (body as zlib.Gunzip).bytesWritten);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof AppError ? error : unreadable(request, error);
  } finally {
    if (body !== request) {
      request.unpipe(body as zlib.Gunzip);
      body.destroy();
    }
  }
}

function unpacked(request: Request): Readable {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity') return request;
  if (!Object.hasOwn(decoders, encoding)) {
    const taken = ['identity', ...Object.keys(decoders).filter((name) => !name.startsWith('x-'))];
    const message = `The Content-Encoding of the body is not known. Taken: ${taken.join(', ')}.`;
    throw new AppError('unsupported_media_type', message);
  }
  const decoder = decoders[encoding]!();
  // pipe() passes on neither errors nor hang-ups, and pipeline() would take the connection down with the decoder.
  const hangUp = () => decoder.destroy(new Error('aborted'));
  request.on('error', hangUp).on('close', () => request.complete || hangUp());
  return request.pipe(decoder);
}

const tooSlow = () => {
  const { spanMs, bytes } = leastRate;
  return new AppError('bad_request', `The client sent less than ${bytes} bytes in ${spanMs / 1000} seconds.`);
};

/** @throws AppError payload_too_large for a body that unpacks to far more than events are compressed by */
function refuseBomb(unpackedBytes: number, packedBytes: number): void {
  const { mostRatio, freeBytes } = unpacking;
  if (unpackedBytes <= freeBytes || unpackedBytes <= mostRatio * packedBytes) return;
  throw new AppError('payload_too_large', `The body unpacks to more than ${mostRatio} times its size.`);
}

const unreadable = (request: Request, cause: unknown): AppError =>
  request.destroyed && !request.complete
    ? new AppError('bad_request', 'The request ended before its body.', { cause })
    : new AppError('bad_request', 'The body cannot be unpacked: it is not what its Content-Encoding says.', { cause });

/**
 * Reads and throws away what is left of a body after an early reply, so that a client which reads only when it has sent
 * all gets that reply. Not for ever: then the connection is cut.
 */
export function discardRest(request: Request): void {
  if (request.complete || request.destroyed) return;
  const timer = setTimeout(() => request.destroy(), lingerMs);
  request.once('close', () => clearTimeout(timer));
  request.once('end', () => clearTimeout(timer));
  request.resume();
}

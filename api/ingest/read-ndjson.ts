import type { Readable } from 'node:stream';
import zlib from 'node:zlib';
import type { Request } from 'express';
import { AppError } from '../../core/errors.ts';

/** One line of an NDJSON body without its line break, and its number, counted from 1, blank lines included. */
export type Line = { number: number; bytes: Buffer };

/** Bytes that one line may have. */
export const lineLimitBytes = 16 * 1024 * 1024;
/** A client that sends nothing for so long has gone, even if its connection still stands. */
const silenceMs = 60_000;
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
  const take = (bytes: Buffer, lines: Line[]) => {
    number++;
    const whole = begunBytes === 0 ? bytes : Buffer.concat([...begun, bytes]);
    if (whole.length > limitBytes) throw lineTooLong(number, limitBytes);
    [begun, begunBytes] = [[], 0];
    if (!isBlank(whole)) lines.push({ number, bytes: whole });
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
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(silent()), silenceMs);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
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

const silent = () => new AppError('bad_request', `The client sent nothing for ${silenceMs / 1000} seconds.`);

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

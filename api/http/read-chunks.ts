import type { Readable } from 'node:stream';
import zlib from 'node:zlib';
import type { Request } from 'express';
import { AppError } from '../../core/errors.ts';
import { leastRate, lingerMs, memoryWaitMs, unpacking, windowBytes } from '../../core/limits/bodies.ts';
import type { Holding } from '../../core/limits/byte-budget.ts';
import type { MemoryKind } from '../../core/limits/memory.ts';

type Decoder = zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress | zlib.ZstdDecompress;

const chunkSize = 64 * 1024;
const zstdParams = { [zlib.constants.ZSTD_d_windowLogMax]: Math.log2(windowBytes.zstd) };

/** Each content coding that is taken, and the bytes of unpacked text that its decoder may keep. */
const decoders: Record<string, { open: () => Decoder; keptBytes: number }> = {
  gzip: { open: () => zlib.createGunzip({ chunkSize }), keptBytes: windowBytes.gzip },
  'x-gzip': { open: () => zlib.createGunzip({ chunkSize }), keptBytes: windowBytes.gzip },
  deflate: { open: () => zlib.createInflate({ chunkSize }), keptBytes: windowBytes.deflate },
  br: { open: () => zlib.createBrotliDecompress({ chunkSize }), keptBytes: windowBytes.br },
  zstd: { open: () => zlib.createZstdDecompress({ chunkSize, params: zstdParams }), keptBytes: windowBytes.zstd },
};

/** What memory a body takes while it comes. */
export type BodyMemory = {
  holding: Holding;
  /** Milliseconds that the next bytes may wait for memory, after so many that the body has waited; the client is not read from. */
  waitMs?(waitedMs: number): number;
};

const restOfUsualWait = (waitedMs: number): number => Math.max(0, memoryWaitMs.body - waitedMs);

/**
 * The body's bytes, unpacked, each chunk held for in `holding` as `bodies` before it is given; to give them back is the
 * caller's. The request itself is never destroyed: its connection is still needed for the reply.
 * @throws AppError bad_request when the client hangs up, falls silent, or sends what cannot be unpacked, payload_too_large
 *   for a bomb, unsupported_media_type for another Content-Encoding; what Holding.take() throws
 */
export async function* readChunks(
  request: Request,
  { holding, waitMs = restOfUsualWait }: BodyMemory,
): AsyncGenerator<Buffer> {
  const { body, keptBytes } = unpacked(request);
  const chunks = body.iterator({ destroyOnReturn: false });
  // Only what the client has us wait for counts: how long we take for what it sent is our own affair.
  const span = { waitedMs: 0, bytes: 0 };
  let unpackedBytes = 0;
  let window = 0;
  let waitedMs = 0;
  const hold = async (kind: MemoryKind, bytes: number) => {
    const askedAt = performance.now();
    await holding.take(kind, bytes, waitMs(waitedMs));
    waitedMs += performance.now() - askedAt;
  };
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
      if (body !== request) refuseBomb(unpackedBytes, (body as Decoder).bytesWritten);
      await hold('bodies', chunk.length);
      const grown = Math.min(keptBytes, unpackedBytes) - window;
      if (grown > 0) await hold('windows', grown);
      window += grown;
      yield chunk;
    }
  } catch (error) {
    throw error instanceof AppError ? error : unreadable(request, error);
  } finally {
    holding.give('windows', window);
    if (body !== request) {
      request.unpipe(body as Decoder);
      body.destroy();
    }
  }
}

function unpacked(request: Request): { body: Readable; keptBytes: number } {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity') return { body: request, keptBytes: 0 };
  if (!Object.hasOwn(decoders, encoding)) {
    const taken = ['identity', ...Object.keys(decoders).filter((name) => !name.startsWith('x-'))];
    const message = `The Content-Encoding of the body is not known. Taken: ${taken.join(', ')}.`;
    throw new AppError('unsupported_media_type', message);
  }
  const { open, keptBytes } = decoders[encoding]!;
  const decoder = open();
  // pipe() passes on neither errors nor hang-ups, and pipeline() would take the connection down with the decoder.
  const hangUp = () => decoder.destroy(new Error('aborted'));
  request.on('error', hangUp).on('close', () => request.complete || hangUp());
  return { body: request.pipe(decoder), keptBytes };
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

import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import type { Compression } from '../core/exports/exports.ts';
import type { FileChunk } from '../prisma/rows/read-segments.ts';
import { mapInOrder } from './map-in-order.ts';

/** Pieces are joined until they are this long: the unit of compression, and what a part is made of. */
const blockBytes = 768 * 1024;

const gzipBlock = promisify(gzip);
const zstdBlock = promisify(zstdCompress);

/**
 * Compressed blocks in order, `inFlight` at a time in the thread pool. Each is a gzip member or a zstd frame of its own
 * (RFC 1952 section 2.2 and RFC 8878 section 3 allow one after the other), so a resumed file needs no compressor state.
 */
export async function* compressPieces(
  pieces: AsyncIterable<FileChunk>,
  compression: Compression,
  { inFlight, resumed }: { inFlight: number; resumed: boolean },
): AsyncGenerator<FileChunk> {
  const blocks = joinPieces(pieces, compression !== 'none' && !resumed);
  if (compression === 'none') yield* blocks;
  else
    yield* mapInOrder(blocks, inFlight, async (block) => {
      const bytes = await compressed(block.bytes, compression);
      block.giveBack?.();
      return { ...block, bytes, giveBack: undefined };
    });
}

/** Bytes that a thread fills before it calls back: a block takes a few calls, not one for each of zlib's 16 KiB. */
const chunkSize = 256 * 1024;

const compressed = (bytes: Buffer, compression: 'gzip' | 'zstd'): Promise<Buffer> =>
  compression === 'gzip'
    ? gzipBlock(bytes, { level: constants.Z_BEST_SPEED, chunkSize })
    : zstdBlock(bytes, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: 3 } });

/**
 * Joins pieces to blocks. Where a block ends depends on the rows alone, so that a resumed export cuts the same ones. With
 * `atLeastOne`, an empty file is one empty block: no gzip member at all is no gzip file.
 */
export async function* joinPieces(pieces: AsyncIterable<FileChunk>, atLeastOne: boolean): AsyncGenerator<FileChunk> {
  let waiting: FileChunk[] = [];
  let bytes = 0;
  let any = false;
  for await (const piece of pieces) {
    waiting.push(piece);
    bytes += piece.bytes.length;
    if (bytes < blockBytes) continue;
    yield join(waiting);
    any = true;
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0 || (atLeastOne && !any)) yield join(waiting);
}

function join(pieces: FileChunk[]): FileChunk {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
  for (const { giveBack } of pieces) giveBack?.();
  return {
    bytes,
    rows: pieces.reduce((sum, piece) => sum + piece.rows, 0),
    neutralizedCells: pieces.reduce((sum, piece) => sum + (piece.neutralizedCells ?? 0), 0),
    position: pieces.findLast((piece) => piece.position)?.position ?? null,
  };
}

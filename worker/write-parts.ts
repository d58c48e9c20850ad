import { createHash } from 'node:crypto';
import type { ObjectStore, PartReceipt, Upload } from '../core/storage/object-store.ts';
import type { Piece } from './frame-rows.ts';
import type { Position } from './read-segments.ts';

/** The position behind the last byte of the file: nothing is left to read. */
export const endOfFile = 'end';

/** What an export has written so far, and all that is needed to go on from there. */
export type Checkpoint = {
  part: PartReceipt;
  /** Rows of the file up to the end of this part. */
  rows: number;
  position: Position | typeof endOfFile;
};

export type WriteOptions = {
  store: Pick<ObjectStore, 'putPart'>;
  upload: Upload;
  /** The parts that are there already, without a gap. */
  written: Checkpoint[];
  firstPartBytes: number;
  partsInFlight: number;
  /** Called for each part once it and all before it are stored, in order. An error ends the writing. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** Told of the rows and bytes that have been taken so far. */
  onProgress(rows: number, bytes: number): void;
};

/**
 * The file as it stands complete. `sha256` (hex) is known only if all of it was written in this run: the state of a hash
 * cannot be kept in a checkpoint. One that can is written in WebAssembly and eight times slower, which every export would
 * pay; reading the file back once is paid by those that were resumed (run-export.ts).
 */
export type WrittenFile = { parts: PartReceipt[]; rows: number; bytes: number; sha256: string | undefined };

/** S3's limit, which every store that speaks its protocol has too. */
export const maxParts = 10_000;

/**
 * Bytes at which part `partNumber` (from 1) is cut. Parts double every thousand: from 8 MiB, 10,000 of them hold 7.8 TiB,
 * more than an object may have, so an export of unknown length never runs out of parts.
 */
export const partBytes = (partNumber: number, firstPartBytes: number): number =>
  firstPartBytes * 2 ** Math.floor((partNumber - 1) / 1000);

/**
 * Cuts blocks into parts and stores them, a few at a time. After an error every part under way is waited for, so that
 * nothing writes any more when the caller aborts the upload or hands the export on.
 */
export async function writeParts(blocks: AsyncIterable<Piece>, options: WriteOptions): Promise<WrittenFile> {
  const { written, onProgress } = options;
  const last = written.at(-1);
  const hash = last ? undefined : createHash('sha256');
  const done = [...written.map((checkpoint) => checkpoint.part)];
  let rows = last?.rows ?? 0;
  let bytes = done.reduce((sum, part) => sum + part.bytes, 0);
  let position: Position | typeof endOfFile = last?.position ?? { after: null, rows: 0 };
  let partNumber = done.length + 1;
  let body: Buffer[] = [];
  let bodyBytes = 0;
  const underWay: Promise<Checkpoint>[] = [];

  const settleOldest = async () => {
    const checkpoint = await underWay.shift()!;
    await options.saveCheckpoint(checkpoint);
    done.push(checkpoint.part);
  };
  const cutPart = async () => {
    if (partNumber > maxParts) throw new Error(`The file needs more than ${maxParts} parts; raise LOGFERRY_PART_MIB`);
    const state = { rows, position };
    const stored = options.store
      .putPart(options.upload, { partNumber, offset: bytes - bodyBytes, body })
      .then((part) => ({ part, ...state }));
    stored.catch(() => {}); // Heard when its turn comes.
    underWay.push(stored);
    partNumber++;
    body = [];
    bodyBytes = 0;
    if (underWay.length >= options.partsInFlight) await settleOldest();
  };

  try {
    for await (const block of blocks) {
      hash?.update(block.bytes);
      body.push(block.bytes);
      bodyBytes += block.bytes.length;
      bytes += block.bytes.length;
      rows += block.rows;
      position = block.position ?? position;
      onProgress(rows, bytes);
      if (bodyBytes >= partBytes(partNumber, options.firstPartBytes)) await cutPart();
    }
    // An empty file is one empty part: an upload without any cannot be completed.
    position = endOfFile;
    if (bodyBytes > 0 || (done.length === 0 && underWay.length === 0)) await cutPart();
    while (underWay.length > 0) await settleOldest();
  } finally {
    await Promise.allSettled(underWay);
  }
  return { parts: done, rows, bytes, sha256: hash?.digest('hex') };
}

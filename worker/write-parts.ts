import { createHash } from 'node:crypto';
import { FinalError } from '../core/errors.ts';
import { endOfFile } from '../core/exports/frame-rows.ts';
import type { ObjectStore, PartReceipt, Upload } from '../core/storage/object-store.ts';
import type { Checkpoint } from '../prisma/exports/runs.ts';
import type { FileChunk, Position } from '../prisma/rows/read-segments.ts';
import { type PartPlan, partBytes } from './part-sizes.ts';

export type WriteOptions = {
  store: Pick<ObjectStore, 'putPart'>;
  upload: Upload;
  /** The parts that are there already, without a gap. */
  written: Checkpoint[];
  plan: PartPlan;
  /** So many parts, and so many bytes of parts, are being stored at a time; one at least, however large. */
  partsInFlight: number;
  bytesInFlight: number;
  /** Ends calls to the store. Reading ends by itself before, and what is under way then may still be stored. */
  signal: AbortSignal;
  /** Called before a part is put, with the bytes of the file up to its end; the part waits for it. An error ends the writing. */
  reserve(through: number): Promise<void>;
  /** Called for each part once it and all before it are stored, in order. An error ends the writing. */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** Told of the rows and bytes that have been taken so far. */
  onProgress(rows: number, bytes: number): void;
};

/**
 * The file as it stands complete. `sha256` (hex) is known only if all of it was written in this run: the state of a hash
 * cannot be kept in a checkpoint. One that can is written in WebAssembly and eight times slower, which every export would
 * pay; reading the file back once is paid by those that were resumed (write-file.ts).
 */
export type WrittenFile = {
  parts: PartReceipt[];
  rows: number;
  bytes: number;
  neutralizedCells: number;
  sha256: string | undefined;
};

/**
 * Cuts blocks into parts and stores them, a few at a time. When there are no more rows to be had, what is under way is
 * still stored and its checkpoints saved: a run that is handed on does next to nothing twice. After any error every part
 * under way is waited for, so that nothing writes any more when the caller aborts the upload or hands the export on.
 */
export async function writeParts(blocks: AsyncIterable<FileChunk>, options: WriteOptions): Promise<WrittenFile> {
  const { written, onProgress } = options;
  const last = written.at(-1);
  const hash = last ? undefined : createHash('sha256');
  const done = [...written.map((checkpoint) => checkpoint.part)];
  let rows = last?.rows ?? 0;
  let neutralizedCells = last?.neutralizedCells ?? 0;
  let bytes = done.reduce((sum, part) => sum + part.bytes, 0);
  let position: Position | typeof endOfFile = last?.position ?? { after: null, rows: 0 };
  let partNumber = done.length + 1;
  let body: FileChunk[] = [];
  let bodyBytes = 0;
  const underWay: { bytes: number; stored: Promise<Checkpoint> }[] = [];
  let isBroken = false;

  const settleOldest = async () => {
    try {
      const checkpoint = await underWay.shift()!.stored;
      await options.saveCheckpoint(checkpoint);
      done.push(checkpoint.part);
    } catch (error) {
      // A checkpoint behind one that is missing would be one with a gap before it.
      isBroken = true;
      throw error;
    }
  };
  const isFull = () => {
    const bytesUnderWay = underWay.reduce((sum, part) => sum + part.bytes, 0);
    return underWay.length >= options.partsInFlight || bytesUnderWay + nextBytes() > options.bytesInFlight;
  };
  const nextBytes = () => partBytes(partNumber, options.plan);
  const cutPart = async () => {
    if (partNumber > options.plan.maxParts) throw tooManyParts(options.plan);
    const state = { rows, neutralizedCells, position };
    const pieces = body;
    const partLength = bodyBytes;
    const part = { partNumber, offset: bytes - bodyBytes, body: pieces.map((piece) => piece.bytes) };
    const put = async () => {
      await options.reserve(part.offset + partLength);
      const receipt = await options.store.putPart(options.upload, part, { signal: options.signal });
      // Not after an error: what broke may still be reading.
      for (const { giveBack } of pieces) giveBack?.();
      return { part: receipt, ...state };
    };
    const stored = put();
    stored.catch(() => {}); // Heard when its turn comes.
    underWay.push({ bytes: bodyBytes, stored });
    partNumber++;
    body = [];
    bodyBytes = 0;
    while (underWay.length > 0 && isFull()) await settleOldest();
  };

  try {
    for await (const block of blocks) {
      hash?.update(block.bytes);
      body.push(block);
      bodyBytes += block.bytes.length;
      bytes += block.bytes.length;
      rows += block.rows;
      neutralizedCells += block.neutralizedCells ?? 0;
      position = block.position ?? position;
      onProgress(rows, bytes);
      if (bodyBytes >= nextBytes()) await cutPart();
    }
    // An empty file is one empty part: an upload without any cannot be completed.
    position = endOfFile;
    if (bodyBytes > 0 || (done.length === 0 && underWay.length === 0)) await cutPart();
    while (underWay.length > 0) await settleOldest();
  } catch (error) {
    // What ended the writing is to be told, not what this may add to it.
    while (underWay.length > 0 && !isBroken) await settleOldest().catch(() => {});
    throw error;
  } finally {
    await Promise.allSettled(underWay.map(({ stored }) => stored));
  }
  return { parts: done, rows, bytes, neutralizedCells, sha256: hash?.digest('hex') };
}

const tooManyParts = ({ maxParts }: PartPlan): FinalError =>
  new FinalError('file_too_large', `The file does not fit into ${maxParts} parts. Export fewer events at a time.`);

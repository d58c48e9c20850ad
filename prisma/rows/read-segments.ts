import type { FramedChunk } from '../../core/exports/frame-rows.ts';
import type { PlacedChunk, RowChunk } from '../../core/exports/row-chunk.ts';
import type { BufferSource } from '../copy/buffers.ts';
import type { Scans } from '../copy/copy-options.ts';
import { copyRows } from '../copy/copy-rows.ts';
import { type ExportRows, type Key, type PlannedSegment, planSegments, readSegment } from './segments.ts';

/** How far an export has been read: `rows` rows into the segment that begins after `after`. */
export type Position = { after: Key | null; rows: number };

/** Rows of an export and the position behind them. */
export type ReadChunk = PlacedChunk<Position>;

/** A piece of the file of an export, its opening and closing among them (core/exports/frame-rows.ts). */
export type FileChunk = FramedChunk<Position>;

export type ReadOptions = {
  from: Position;
  readers: number;
  signal: AbortSignal;
  /** Buffers that whoever takes the rows gives back; new ones without it. */
  buffers?: BufferSource;
  /** For those who do not read all segments alike. */
  pace?: Pace;
};

/** How large segments are, and how each is printed. */
export type Pace = {
  /** Asked before each segment: how many events it takes, before the filter. */
  nextRows(): number;
  copy: typeof copyRows;
  /** Told of each segment once all of it was taken: the bytes that so many events at most have printed. */
  onRead(events: number, bytes: number): void;
};

type OpenSegment = {
  segment: PlannedSegment;
  skipped: number;
  chunks: AsyncGenerator<RowChunk>;
  first: Promise<IteratorResult<RowChunk>>;
};

/**
 * Reads the rows of an export in order, from a position on. `readers` segments are read at a time; the ones behind the
 * first fill their buffers and wait. Ends all of them, whatever ends it.
 */
export async function* readSegments(scans: Scans, rows: ExportRows, options: ReadOptions): AsyncGenerator<ReadChunk> {
  const { from, buffers, pace = { nextRows: () => rows.segmentRows, copy: copyRows, onRead() {} } } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const segments = planSegments(scans, rows, { after: from.after, nextRows: pace.nextRows });
  let skipRows = from.rows;

  const openNext = async (): Promise<OpenSegment | undefined> => {
    const { value: segment, done } = await segments.next();
    if (done) return undefined;
    const { printer, statement } = readSegment(rows, segment);
    const chunks = pace.copy(scans, statement, { skipRows, printer, signal, ...(buffers && { buffers }) });
    const open = { segment, skipped: skipRows, chunks, first: chunks.next() };
    open.first.catch(() => {}); // Heard when its turn comes; another reader's error may end us before.
    skipRows = 0;
    return open;
  };

  // Each opening waits for the one before: boundaries are found one after the other.
  let opening: Promise<OpenSegment | undefined> = Promise.resolve(undefined);
  const queue: Promise<OpenSegment | undefined>[] = [];
  let open: OpenSegment | undefined;
  const enqueue = () => {
    opening = opening.then(openNext);
    opening.catch(() => {});
    queue.push(opening);
  };
  try {
    for (let i = 0; i < options.readers; i++) enqueue();
    for (open = await queue.shift()!; open; open = await queue.shift()!) {
      enqueue();
      const { after, events } = open.segment;
      let position: Position = { after, rows: open.skipped };
      let bytes = 0;
      for (let chunk = await open.first; !chunk.done; chunk = await open.chunks.next()) {
        position = { after, rows: position.rows + chunk.value.rows };
        bytes += chunk.value.bytes.length;
        yield { ...chunk.value, position };
      }
      pace.onRead(events, bytes);
    }
  } finally {
    stop.abort(new Error('The export is not read any further'));
    // The one being read too: whoever takes no more leaves it in the middle, with its connection.
    const left = [Promise.resolve(open), ...queue];
    await Promise.allSettled(left.map(async (each) => (await each)?.chunks.return(undefined)));
  }
}

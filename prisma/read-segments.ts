import type { FramedRows } from '../core/frame-rows.ts';
import type { Database } from './client.ts';
import { copyRows, type Slab } from './copy-rows.ts';
import { type ExportRows, type Key, planSegments, segmentStatement } from './segments.ts';

/** How far an export has been read: `rows` rows into the segment that begins after `after`. */
export type Position = { after: Key | null; rows: number };

/** A slab and the position behind it. */
export type ReadSlab = Slab & { position: Position };

/** A piece of the file of an export (core/frame-rows.ts). */
export type Piece = FramedRows<Position>;

export type ReadOptions = { from: Position; readers: number; signal: AbortSignal };

type OpenSegment = {
  after: Key | null;
  skipped: number;
  slabs: AsyncGenerator<Slab>;
  first: Promise<IteratorResult<Slab>>;
};

/**
 * Reads the rows of an export in order, from a position on. `readers` segments are read at a time; the ones behind the
 * first fill their buffers and wait. Ends all of them, whatever ends it.
 */
export async function* readSegments(
  database: Database,
  rows: ExportRows,
  options: ReadOptions,
): AsyncGenerator<ReadSlab> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const segments = planSegments(database.scans, rows, options.from.after);
  const lineEnding = rows.content.format === 'csv' ? rows.content.csv.line_ending : 'lf';
  let skipRows = options.from.rows;

  const openNext = async (): Promise<OpenSegment | undefined> => {
    const { value: segment, done } = await segments.next();
    if (done) return undefined;
    const slabs = copyRows(database.scans, segmentStatement(rows, segment), { skipRows, lineEnding, signal });
    const open = { after: segment.after, skipped: skipRows, slabs, first: slabs.next() };
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
      let position: Position = { after: open.after, rows: open.skipped };
      for (let slab = await open.first; !slab.done; slab = await open.slabs.next()) {
        position = { after: open.after, rows: position.rows + slab.value.rows };
        yield { ...slab.value, position };
      }
    }
  } finally {
    stop.abort(new Error('The export is not read any further'));
    // The one being read too: whoever takes no more leaves it in the middle, with its connection.
    const left = [Promise.resolve(open), ...queue];
    await Promise.allSettled(left.map(async (each) => (await each)?.slabs.return(undefined)));
  }
}

import type pg from 'pg';
import { type BufferSource, freshBuffers } from './buffers.ts';
import { CopyReader } from './copy-reader.ts';
import type { RowPrinter } from './row-printer.ts';

/** Whole rows as they go into the file. Where a chunk ends depends on the rows alone, never on the network's timing. */
export type RowChunk = {
  bytes: Buffer;
  rows: number;
  /** To be called when nobody will read the bytes any more, by those whose reader uses buffers again. */
  giveBack(): void;
};

export type CopyOptions = {
  /** Rows at the beginning that are read and left out: a resumed export has them already. */
  skipRows?: number;
  printer: RowPrinter;
  /** Ends the reading, and the statement with its connection, at once. */
  signal: AbortSignal;
  /** Chunks are full when the next row does not fit; a longer row gets a chunk of its own. New ones of 1 MiB by default. */
  buffers?: BufferSource;
  /** Bytes of buffers that wait to be taken before the server is paused: this, a chunk and one row bound the memory of a reader. */
  waitingLimitBytes?: number;
  /**
   * Milliseconds in all for which the server may be paused, or five times what the first chunk took if that is longer. Then
   * the connection is given up: what was read can still be taken, and behind it comes a PausedTooLongError. Without it the
   * server waits for as long as the reader takes.
   */
  pauseLimitMs?: number;
};

const mebibyte = 1024 * 1024;
const defaults = { buffers: freshBuffers(mebibyte), waitingLimitBytes: 3 * mebibyte };

/** Where statements run that scan: the pool of them, or a share of it. */
export type Scans = {
  connect(): Promise<pg.PoolClient>;
  query<Row extends pg.QueryResultRow>(text: string): Promise<pg.QueryResult<Row>>;
};

/**
 * Runs a `COPY … TO STDOUT` and gives its output in buffers of whole rows. Whoever stops taking pauses the server. The
 * connection serves others as soon as the server has printed all, also while buffers still wait to be taken.
 *
 * PostgreSQL sends each row as one CopyData message (protocol documentation, "COPY Operations": "always one per row"),
 * which gives us the rows' boundaries for nothing: no scan for line breaks, which CSV cells may hold as well.
 */
export async function* copyRows(scans: Scans, statement: string, options: CopyOptions): AsyncGenerator<RowChunk> {
  options.signal.throwIfAborted();
  const client = await scans.connect();
  // A signal that came while we waited for the connection is not heard by a listener that is added now.
  if (options.signal.aborted) {
    client.release();
    throw options.signal.reason;
  }
  const reader = new CopyReader(client, statement, { ...defaults, ...options });
  const stop = () => reader.fail(options.signal.reason);
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    client.query(reader as unknown as pg.Submittable);
    for (let chunk = await reader.next(); chunk; chunk = await reader.next()) yield chunk;
  } finally {
    options.signal.removeEventListener('abort', stop);
    reader.fail(new Error('Nobody takes the rows any more'));
  }
}

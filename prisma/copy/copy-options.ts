import type pg from 'pg';
import type { BufferSource } from './buffers.ts';
import type { RowPrinter } from './row-printer.ts';

/** How the output of a COPY is read. Where a chunk ends depends on the rows alone, never on the network's timing. */
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

/** Where statements run that scan: the pool of them, or a share of it. */
export type Scans = {
  connect(): Promise<pg.PoolClient>;
  query<Row extends pg.QueryResultRow>(text: string): Promise<pg.QueryResult<Row>>;
};

import type pg from 'pg';

/** Whole rows as they go into the file. Where a slab ends depends on the rows alone, never on the network's timing. */
export type Slab = { bytes: Buffer; rows: number };

export type CopyOptions = {
  /** Rows at the beginning that are read and left out: a resumed export has them already. */
  skipRows?: number;
  lineEnding: 'lf' | 'crlf';
  /** Ends the reading, and the statement with its connection, at once. */
  signal: AbortSignal;
};

/** A slab is full when the next row does not fit; a longer row gets a slab of its own. */
export const slabBytes = 1024 * 1024;
/** Bytes of slabs that wait to be taken before the connection is paused: this and one row bound the memory of a reader. */
const waitingLimitBytes = 8 * slabBytes;

const crlf = Buffer.from('\r\n');

/**
 * Runs a `COPY … TO STDOUT` and gives its output in slabs of whole rows. Whoever stops taking pauses the server.
 *
 * PostgreSQL sends each row as one CopyData message (protocol documentation, "COPY Operations": "always one per row"),
 * which gives us the rows' boundaries for nothing: no scan for line breaks, which CSV cells may hold as well.
 */
export async function* copyRows(pool: pg.Pool, statement: string, options: CopyOptions): AsyncGenerator<Slab> {
  options.signal.throwIfAborted();
  const client = await pool.connect();
  // A signal that came while we waited for the connection is not heard by a listener that is added now.
  if (options.signal.aborted) {
    client.release();
    throw options.signal.reason;
  }
  const reader = new CopyReader(client, statement, options);
  const stop = () => reader.fail(options.signal.reason);
  options.signal.addEventListener('abort', stop, { once: true });
  let ended = false;
  try {
    client.query(reader as unknown as pg.Submittable);
    for (let slab = await reader.next(); slab; slab = await reader.next()) yield slab;
    ended = true;
  } finally {
    options.signal.removeEventListener('abort', stop);
    // A connection in the middle of a COPY cannot serve anybody else; closing it also ends the statement.
    client.release(!ended);
  }
}

/** What pg hands the messages of our statement to (its Submittable). A class, because pg asks for one. */
class CopyReader {
  #statement: string;
  #skip: number;
  #crlf: boolean;
  #stream: { pause(): void; resume(): void };
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;
  #rows = 0;
  #full: Slab[] = [];
  #waitingBytes = 0;
  #paused = false;
  #done = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(client: pg.PoolClient, statement: string, { skipRows = 0, lineEnding }: CopyOptions) {
    this.#statement = statement;
    this.#skip = skipRows;
    this.#crlf = lineEnding === 'crlf';
    this.#stream = (
      client as unknown as { connection: { stream: { pause(): void; resume(): void } } }
    ).connection.stream;
  }

  /** The next slab, or undefined after the last one. */
  async next(): Promise<Slab | undefined> {
    while (this.#full.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#done) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const slab = this.#full.shift()!;
    this.#waitingBytes -= slab.bytes.buffer.byteLength;
    if (this.#paused && this.#waitingBytes < waitingLimitBytes) {
      this.#paused = false;
      this.#stream.resume();
    }
    return slab;
  }

  fail(error: unknown): void {
    this.#error ??= error ?? new Error('The reading was stopped');
    this.#full.length = 0;
    this.#waitingBytes = 0;
    this.#signal();
  }

  submit(connection: { query(text: string): void }): void {
    connection.query(this.#statement);
  }

  handleCopyData(message: { chunk: Buffer; length: number }): void {
    if (this.#skip > 0) {
      this.#skip--;
      return;
    }
    const { chunk } = message;
    const needed = chunk.length + (this.#crlf ? 1 : 0);
    if (this.#used + needed > this.#slab.length) this.#startSlab(needed);
    // pg's parser reuses the memory behind `chunk`, so it is copied here and now.
    if (this.#crlf) {
      chunk.copy(this.#slab, this.#used, 0, chunk.length - 1);
      crlf.copy(this.#slab, this.#used + chunk.length - 1);
    } else chunk.copy(this.#slab, this.#used);
    this.#used += needed;
    this.#rows++;
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#closeSlab();
    this.#done = true;
    this.#signal();
  }

  handleError(error: unknown): void {
    this.fail(error);
  }

  #startSlab(needed: number): void {
    this.#closeSlab();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, needed));
    if (this.#waitingBytes >= waitingLimitBytes && !this.#paused) {
      this.#paused = true;
      this.#stream.pause();
    }
  }

  #closeSlab(): void {
    if (this.#rows === 0 || this.#error !== undefined) return;
    this.#full.push({ bytes: this.#slab.subarray(0, this.#used), rows: this.#rows });
    this.#waitingBytes += this.#slab.length;
    this.#used = 0;
    this.#rows = 0;
    this.#signal();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

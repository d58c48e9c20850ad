import type { Readable } from 'node:stream';
import type pg from 'pg';
import type { RowChunk } from '../../core/exports/row-chunk.ts';
import { type CopyMessage, takeCopyData } from './copy-messages.ts';
import type { CopyOptions } from './copy-options.ts';

/** The reader took so little for so long that its connection was given to others. The statement can be run again. */
export class PausedTooLongError extends Error {
  constructor() {
    super('The rows were not taken for so long that the statement was ended');
    this.name = 'PausedTooLongError';
  }
}

type ReaderOptions = CopyOptions & Required<Pick<CopyOptions, 'buffers' | 'waitingLimitBytes'>>;

/** What pg hands the messages of our statement to (its Submittable). A class, because pg asks for one. */
export class CopyReader {
  #statement: string;
  #options: ReaderOptions;
  #client: pg.PoolClient | undefined;
  #stream: { pause(): void; resume(): void };
  #skip: number;
  /** None before the first row. */
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;
  #rows = 0;
  #full: RowChunk[] = [];
  #waitingBytes = 0;
  #done = false;
  #error: unknown;
  #wake: (() => void) | undefined;
  #startedAt = performance.now();
  #firstChunkMs: number | undefined;
  #pausedAt: number | undefined;
  #pausedMs = 0;
  #patience: NodeJS.Timeout | undefined;

  constructor(client: pg.PoolClient, statement: string, options: ReaderOptions) {
    this.#client = client;
    this.#statement = statement;
    this.#options = options;
    this.#skip = options.skipRows ?? 0;
    this.#stream = (
      client as unknown as { connection: { stream: { pause(): void; resume(): void } } }
    ).connection.stream;
  }

  /** The next chunk, or undefined after the last one. */
  async next(): Promise<RowChunk | undefined> {
    while (this.#full.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#done) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunk = this.#full.shift()!;
    this.#waitingBytes -= chunk.bytes.buffer.byteLength;
    if (this.#waitingBytes < this.#options.waitingLimitBytes) this.#resume();
    return chunk;
  }

  /** Ends the statement, if it has not ended, with its connection. What waits to be taken is dropped. */
  fail(error: unknown): void {
    this.#error ??= error ?? new Error('The reading was stopped');
    this.#full.length = 0;
    this.#waitingBytes = 0;
    this.#letGo(true);
    this.#signal();
  }

  submit(connection: { stream: Readable; query(text: string): void }): void {
    takeCopyData(connection.stream, (message) => this.#print(message));
    connection.query(this.#statement);
  }

  #print(message: CopyMessage): void {
    // What had come already when the statement was ended.
    if (this.#error !== undefined) return;
    const { printer } = this.#options;
    if (!printer.isRow(message)) return;
    if (this.#skip > 0) {
      this.#skip--;
      return;
    }
    const needed = printer.bound(message);
    if (this.#used + needed > this.#buffer.length) this.#startBuffer(needed);
    this.#used = printer.print(message, this.#buffer, this.#used);
    this.#rows++;
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#closeChunk();
    this.#done = true;
    this.#letGo(false);
    this.#signal();
  }

  handleError(error: unknown): void {
    // It comes for a connection that was given up, too.
    if (this.#error === undefined) this.fail(error);
  }

  #startBuffer(needed: number): void {
    this.#closeChunk();
    const { buffers } = this.#options;
    this.#buffer = needed <= buffers.bufferBytes ? buffers.take() : Buffer.allocUnsafeSlow(needed);
    if (this.#waitingBytes >= this.#options.waitingLimitBytes) this.#pause();
  }

  #closeChunk(): void {
    if (this.#rows === 0 || this.#error !== undefined) return;
    this.#firstChunkMs ??= performance.now() - this.#startedAt;
    this.#full.push(this.#filled());
    this.#waitingBytes += this.#buffer.length;
    this.#used = 0;
    this.#rows = 0;
    this.#signal();
  }

  #filled(): RowChunk {
    const { buffers, printer } = this.#options;
    let chunk: Buffer | undefined = this.#buffer;
    const printed = this.#buffer.subarray(0, this.#used);
    const settled = printer.settle?.(printed);
    return {
      bytes: settled ? printed.subarray(0, settled.bytes) : printed,
      rows: this.#rows,
      ...(settled && { neutralizedCells: settled.neutralizedCells }),
      giveBack() {
        // Once, and only what fits others: it would serve two otherwise.
        if (chunk?.length === buffers.bufferBytes) buffers.giveBack(chunk);
        chunk = undefined;
      },
    };
  }

  #pause(): void {
    if (this.#pausedAt !== undefined) return;
    this.#pausedAt = performance.now();
    this.#stream.pause();
    if (this.#options.pauseLimitMs === undefined) return;
    // Running it again costs what it took to the first chunk: so much may be spent on waiting, several times over.
    const limitMs = Math.max(this.#options.pauseLimitMs, 5 * this.#firstChunkMs!);
    this.#patience = setTimeout(() => this.#giveUp(), Math.max(0, limitMs - this.#pausedMs));
  }

  #resume(): void {
    if (this.#pausedAt === undefined) return;
    clearTimeout(this.#patience);
    this.#pausedMs += performance.now() - this.#pausedAt;
    this.#pausedAt = undefined;
    this.#stream.resume();
  }

  /** The chunk that is being filled is dropped, so that the next run of the statement cuts the same buffers. */
  #giveUp(): void {
    this.#error = new PausedTooLongError();
    this.#letGo(true);
  }

  /** A connection in the middle of a COPY cannot serve anybody else; closing it also ends the statement. */
  #letGo(isBroken: boolean): void {
    clearTimeout(this.#patience);
    const client = this.#client;
    this.#client = undefined;
    if (!isBroken) this.#resume();
    client?.release(isBroken);
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

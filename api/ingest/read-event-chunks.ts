import { setImmediate } from 'node:timers/promises';
import type { Request } from 'express';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { chunkLimits, memoryWaitMs } from '../../core/limits/bodies.ts';
import type { Holding } from '../../core/limits/byte-budget.ts';
import { type Line, readLine } from './read-line.ts';
import { readLines } from './read-ndjson.ts';
import { largeBytes, readLineInThread } from './thread/read-in-thread.ts';

/** Bytes of lines that are read in one go: what else the process has to do goes on in between. */
const bytesInOneGo = 256 * 1024;

/**
 * Reads an NDJSON body as checked events, in chunks that are full but for the last. It holds the memory of the chunk that it
 * reads and of two before it: one on its way to the database, and one that follows.
 * @throws AppError validation_error that names the first bad line; what readLines() throws
 */
export async function* readEventChunks(request: Request, holding: Holding): AsyncGenerator<NewEvent[]> {
  let chunk: NewEvent[] = [];
  let bytes = 0;
  let inOneGo = 0;
  const given: number[] = [];
  const waitMs = (waitedMs: number) =>
    given.length < 2 ? Math.max(0, memoryWaitMs.body - waitedMs) : memoryWaitMs.stream;
  for await (const lines of readLines(request, { holding, waitMs })) {
    for (const line of lines) {
      chunk.push(await readAnyLine(line));
      bytes += line.bytes.length + 1;
      inOneGo += line.bytes.length;
      if (inOneGo >= bytesInOneGo) inOneGo = await setImmediate(0);
      if (chunk.length < chunkLimits.events && bytes < chunkLimits.bytes) continue;
      yield chunk;
      if (given.push(bytes) > 2) holding.give('bodies', given.shift()!);
      [chunk, bytes] = [[], 0];
    }
  }
  if (chunk.length > 0) yield chunk;
}

const readAnyLine = (line: Line): NewEvent | Promise<NewEvent> =>
  line.bytes.length < largeBytes ? readLine(line) : readLineInThread(line);

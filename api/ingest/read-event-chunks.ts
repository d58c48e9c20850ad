import type { Request } from 'express';
import { AppError, type FieldError, mostMistakes } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import { parseJson } from '../../core/json/json.ts';
import { chunkLimits, memoryWaitMs } from '../../core/limits/bodies.ts';
import type { Holding } from '../../core/limits/byte-budget.ts';
import { type Line, readLines } from './read-ndjson.ts';

/**
 * Reads an NDJSON body as checked events, in chunks that are full but for the last. It holds the memory of the chunk that it
 * reads and of two before it: one on its way to the database, and one that follows.
 * @throws AppError validation_error that names the first bad line; what readLines() throws
 */
export async function* readEventChunks(request: Request, holding: Holding): AsyncGenerator<NewEvent[]> {
  let chunk: NewEvent[] = [];
  let bytes = 0;
  const given: number[] = [];
  const waitMs = (waitedMs: number) =>
    given.length < 2 ? Math.max(0, memoryWaitMs.body - waitedMs) : memoryWaitMs.stream;
  for await (const lines of readLines(request, { holding, waitMs })) {
    for (const line of lines) {
      chunk.push(readLine(line));
      bytes += line.bytes.length + 1;
      if (chunk.length < chunkLimits.events && bytes < chunkLimits.bytes) continue;
      yield chunk;
      if (given.push(bytes) > 2) holding.give('bodies', given.shift()!);
      [chunk, bytes] = [[], 0];
    }
  }
  if (chunk.length > 0) yield chunk;
}

function readLine({ number, bytes }: Line): NewEvent {
  const read = readNewEvent(parseLine(number, bytes));
  if ('event' in read) return read.event;
  throw badLine(number, read.errors);
}

function parseLine(number: number, bytes: Buffer): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const mistakes = error.errors.length > 0 ? error.errors : [{ path: '', message: error.message }];
    throw badLine(
      number,
      mistakes.map(({ path, message }) => ({ path, message: message.replace(/^The body /, '') })),
    );
  }
}

/** Paths are `lines.<number>.<member>`; the number stands in the text and in the member `line` as well. */
function badLine(line: number, found: readonly FieldError[]): AppError {
  const mistakes = found.slice(0, mostMistakes);
  const text = mistakes.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  return new AppError('validation_error', `Line ${line}: ${text}. Nothing of this request was kept.`, {
    errors: mistakes.map(({ path, message }) => ({ path: ['lines', line, path].filter(Boolean).join('.'), message })),
    members: { line },
  });
}

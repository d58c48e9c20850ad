import type { Request } from 'express';
import { AppError, type FieldError, mostMistakes } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import { parseJson } from '../../core/json/json.ts';
import { type Line, readLines } from './read-ndjson.ts';

/** A chunk is full with so many events or so many bytes of lines: this bounds the memory of one stream. */
export const chunkLimits = { events: 1000, bytes: 4 * 1024 * 1024 };

/**
 * Reads an NDJSON body as checked events, in chunks that are full but for the last.
 * @throws AppError validation_error that names the first bad line; what readLines() throws
 */
export async function* readEventChunks(request: Request): AsyncGenerator<NewEvent[]> {
  let chunk: NewEvent[] = [];
  let bytes = 0;
  for await (const lines of readLines(request)) {
    for (const line of lines) {
      chunk.push(readLine(line));
      bytes += line.bytes.length;
      if (chunk.length < chunkLimits.events && bytes < chunkLimits.bytes) continue;
      yield chunk;
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

import { AppError, type FieldError, mostMistakes } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import { parseJson } from '../../core/json/json.ts';

/** One line of an NDJSON body without its line break, and its number, counted from 1, blank lines included. */
export type Line = { number: number; bytes: Uint8Array };

/** Reads the event of a line, checks and completes it. @throws AppError validation_error that names the line */
export function readLine({ number, bytes }: Line): NewEvent {
  const read = readNewEvent(parseLine(number, bytes));
  if ('event' in read) return read.event;
  throw badLine(number, read.errors);
}

function parseLine(number: number, bytes: Uint8Array): unknown {
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

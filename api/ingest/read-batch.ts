import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { type FieldError, invalid, mostMistakes } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { batchLimit } from '../../core/events/events.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import { parseJson } from '../../core/json/json.ts';
import { strictObject } from '../../core/strict-object.ts';
import { parse } from '../http/body.ts';

const batchSchema = strictObject({
  events: z
    .array(z.unknown(), { error: 'must be a list of events' })
    .max(batchLimit, `must have at most ${batchLimit} events; send more as application/x-ndjson`),
});

/** Events that are read in one go, which takes some milliseconds: what else the process has to do goes on in between. */
const eventsInOneGo = 100;

/**
 * Reads the body of a batch, and checks and completes its events.
 * @throws AppError: what parseJson() throws; validation_error with all mistakes up to a bound
 */
export async function readBatch(body: Uint8Array): Promise<NewEvent[]> {
  const values = parse(batchSchema, parseJson(body)).events;
  const events: NewEvent[] = [];
  const errors: FieldError[] = [];
  for (const [index, value] of values.entries()) {
    if (index > 0 && index % eventsInOneGo === 0) await setImmediate();
    const read = readNewEvent(value, `events.${index}`);
    if ('event' in read) events.push(read.event);
    else errors.push(...read.errors);
    if (errors.length >= mostMistakes) break;
  }
  if (errors.length > 0) throw invalid(errors);
  return events;
}

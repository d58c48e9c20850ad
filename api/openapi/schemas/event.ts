import { z } from 'zod';
import { type Event, eventInput, severities } from '../../../core/events/events.ts';
import type { Verdict } from '../../../prisma/events/verify.ts';
import { batchLimit } from '../../ingest/write-events.ts';
import { count, pageOf, timestamp, uuid } from './reply-parts.ts';

const text = z.string().nullable();
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const object = z.record(z.string(), z.unknown());

/** The event as GET returns it. */
export const eventSchema = z.object({
  id: uuid,
  sequence_number: z.int().min(1).meta({ description: "Counts the tenant's events from 1 without gaps" }),
  action: z.string(),
  severity: z.enum(severities),
  actor: z.object({ id: text, type: text, name: text, email: text, meta: object.nullable() }),
  target: z.object({ type: text, id: text, meta: object.nullable() }).nullable(),
  context: z.looseObject({ ip: text, user_agent: text }),
  description: text,
  diff: z.object({ before: z.unknown(), after: z.unknown() }).nullable(),
  metadata: object,
  occurred_at: timestamp,
  received_at: timestamp,
  created_at: timestamp.meta({ description: 'The same as `received_at`' }),
  hash: hash.meta({ description: 'Chains the events; docs/chain.md has the rule' }),
  previous_hash: hash,
}) satisfies z.ZodType<Event>;

export const oneEventSchema = z.object({ data: eventSchema });
export const eventPageSchema = pageOf(eventSchema);
export const writtenBatchSchema = z.object({ data: z.array(eventSchema) });
export const writtenStreamSchema = z.object({ data: z.object({ accepted: count }) });
/** One row of GET /v1/events/export: an event, all of them in an array. */
export const eventRowsSchema = z.array(eventSchema);

/** POST /v1/events/batch checks the list and each event by themselves, to name every bad one by its index. */
export const newEventBatchSchema = z.strictObject({ events: z.array(eventInput).max(batchLimit) });

/** What GET /v1/verify answers. */
export const verdictSchema = z.object({
  data: z.object({
    status: z.enum(['valid', 'broken']),
    events_checked: count,
    first_event_id: uuid.nullable(),
    last_event_id: uuid.nullable(),
    broken_at_event_id: uuid.nullable().meta({ description: 'The first event that does not hold' }),
  }) satisfies z.ZodType<Verdict>,
});

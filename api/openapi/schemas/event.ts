import { z } from 'zod';
import { batchLimit, eventInput, severities } from '../../../core/events/events.ts';
import {
  contextCopies,
  eventMembers,
  type FieldType,
  isGroup,
  type JsonShape,
  type Member,
} from '../../../core/events/members.ts';
import { compartments } from '../../../core/evidence/compartments.ts';
import type { Verdict } from '../../../prisma/events/verify.ts';
import { count, pageOf, timestamp, uuid } from './reply-parts.ts';

const object = z.record(z.string(), z.unknown());
const shapes: Record<JsonShape, z.ZodType> = {
  object,
  context: z.looseObject(Object.fromEntries(contextCopies.map(({ name }) => [name, z.string().nullable()]))),
  change: z.object({ before: z.unknown(), after: z.unknown() }),
};

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const someOf = (value: z.ZodType) => z.object(Object.fromEntries(compartments.map((name) => [name, value.optional()])));
const proof = z.union([
  z.object({ seed: z.string().regex(/^[\w-]{22}$/) }),
  z.object({ salts: someOf(z.string().regex(/^[0-9a-f]{32}$/)), erased: someOf(hash) }),
]);

const types: Record<Exclude<FieldType, 'json'>, z.ZodType> = {
  uuid,
  integer: z.int().min(1),
  time: timestamp,
  severity: z.enum(severities),
  text: z.string(),
  hash,
  proof,
};

function schemaOf(member: Member): z.ZodType {
  const schema = isGroup(member)
    ? objectOf(member.members)
    : member.type === 'json'
      ? shapes[member.shape]
      : types[member.type];
  const told = 'about' in member && member.about ? schema.meta({ description: member.about }) : schema;
  return member.nullable ? told.nullable() : told;
}

const objectOf = (members: readonly Member[]) =>
  z.object(Object.fromEntries(members.map((member) => [member.name, schemaOf(member)])));

/** The event as GET returns it. */
export const eventSchema = objectOf(eventMembers);

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
    reason: z.string().optional().meta({
      description: 'Where the events alone do not show it: the log ends before a number that an export knows',
    }),
    head: z
      .object({ sequence_number: count, hash })
      .meta({ description: 'The last number and hash of the whole log; 0 and zeros of an empty one' }),
  }) satisfies z.ZodType<Verdict>,
});

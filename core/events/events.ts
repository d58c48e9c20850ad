import { z } from 'zod';
import { storableTextPattern } from '../json/json.ts';
import { unknownName } from '../nearest-name.ts';
import { strictObject } from '../strict-object.ts';
import { timePatterns } from '../times.ts';

/** Severities in the order of their rank. */
export const severities = ['Info', 'Medium', 'High', 'Critical', 'Error'] as const;
export type Severity = (typeof severities)[number];

export type JsonObject = { [key: string]: unknown };

/** The event as GET returns it. */
export type Event = {
  id: string;
  sequence_number: number;
  action: string;
  severity: Severity;
  actor: { id: string | null; type: string | null; name: string | null; email: string | null; meta: JsonObject | null };
  target: { type: string | null; id: string | null; meta: JsonObject | null } | null;
  context: { ip: string | null; user_agent: string | null; [key: string]: unknown };
  description: string | null;
  diff: { before: unknown; after: unknown } | null;
  metadata: JsonObject;
  occurred_at: string;
  received_at: string;
  created_at: string;
  hash: string;
  previous_hash: string;
};

/** What a field holds. `json` fields are free-form: paths may go on inside them. */
export type FieldType = 'uuid' | 'integer' | 'time' | 'severity' | 'text' | 'json' | 'hash';

/**
 * The fields of an event: path as the API names it, type, column in the table. The one list of them: filters, columns,
 * sorts, SQL and the reply are made from it. `csv` ones stand in a CSV without `properties`, in this order.
 */
export const eventFields = [
  { path: 'id', type: 'uuid', column: 'id', csv: true },
  { path: 'sequence_number', type: 'integer', column: 'sequence_number', csv: true },
  { path: 'occurred_at', type: 'time', column: 'occurred_at', csv: true },
  { path: 'received_at', type: 'time', column: 'received_at', csv: true },
  { path: 'created_at', type: 'time', column: 'received_at', csv: false },
  { path: 'action', type: 'text', column: 'action', csv: true },
  { path: 'severity', type: 'severity', column: 'severity', csv: true },
  { path: 'actor', type: 'json', column: null, csv: false },
  { path: 'actor.id', type: 'text', column: 'actor_id', csv: true },
  { path: 'actor.type', type: 'text', column: 'actor_type', csv: true },
  { path: 'actor.name', type: 'text', column: 'actor_name', csv: true },
  { path: 'actor.email', type: 'text', column: 'actor_email', csv: true },
  { path: 'actor.meta', type: 'json', column: 'actor_meta', csv: true },
  { path: 'target', type: 'json', column: null, csv: false },
  { path: 'target.type', type: 'text', column: 'target_type', csv: true },
  { path: 'target.id', type: 'text', column: 'target_id', csv: true },
  { path: 'target.meta', type: 'json', column: 'target_meta', csv: true },
  { path: 'context.ip', type: 'text', column: 'context_ip', csv: true },
  { path: 'context.user_agent', type: 'text', column: 'context_user_agent', csv: true },
  { path: 'context', type: 'json', column: 'context', csv: true },
  { path: 'description', type: 'text', column: 'description', csv: true },
  { path: 'diff', type: 'json', column: 'diff', csv: true },
  { path: 'metadata', type: 'json', column: 'metadata', csv: true },
  { path: 'hash', type: 'hash', column: 'hash', csv: true },
  { path: 'previous_hash', type: 'hash', column: 'previous_hash', csv: true },
] as const satisfies { path: string; type: FieldType; column: string | null; csv: boolean }[];

export type EventField = (typeof eventFields)[number];

export const eventFieldPaths: readonly string[] = eventFields.map((field) => field.path);

/** The field of exactly this path. */
export const findEventField = (path: string): EventField | undefined => eventFields.find((f) => f.path === path);

/** Reads a severity in any case. */
export const parseSeverity = (text: string): Severity | undefined =>
  severities.find((severity) => severity.toLowerCase() === text.toLowerCase());

/** Any case, as a JSON Schema pattern: those have no flag for it. */
export const severityPattern = `^(?:${severities
  .map((name) => name.replace(/./g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`))
  .join('|')})$`;

const storable = { pattern: storableTextPattern };
const text = (most: number) =>
  z.string({ error: 'must be text' }).max(most, `must have at most ${most} characters`).meta(storable).nullish();
// Fields that an index holds: PostgreSQL refuses index rows over 2704 bytes, and a character takes up to 4.
const indexed = text(512);
/** An empty list is taken for an object without members, which is how PHP writes one. */
const freeForm = (properties: object = {}) =>
  z
    .custom<JsonObject | []>(
      (value) => typeof value === 'object' && value !== null && !(Array.isArray(value) && value.length > 0),
      {
        error: 'must be a JSON object',
      },
    )
    .meta({ type: ['object', 'array'], maxItems: 0, ...properties })
    .transform((value): JsonObject => (Array.isArray(value) ? {} : value));
const contextText = { type: ['string', 'null'], ...storable };

/** An event as a client writes it. Only `action` is required; unknown members are refused, never dropped. */
export const eventInput = strictObject({
  id: z
    .string({ error: 'must be a UUID' })
    .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'must be a UUID')
    .meta({
      pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
      description: 'A repeat is not stored twice',
    })
    .transform((id) => id.toLowerCase())
    .nullish(),
  action: z
    .string({ error: (issue) => (issue.input === undefined ? 'is required' : 'must be text') })
    .min(1, 'must not be empty')
    .max(256, 'must have at most 256 characters')
    .meta(storable),
  severity: z
    .string({ error: 'must be text' })
    .meta({ pattern: severityPattern, description: `${severities.join(', ')}, in any case`, default: severities[0] })
    .transform((value, context) => {
      const severity = parseSeverity(value);
      if (severity) return severity;
      context.addIssue({ code: 'custom', message: unknownName('severity', value, severities) });
      return z.NEVER;
    })
    .nullish(),
  actor: strictObject({
    id: indexed,
    type: indexed,
    name: text(4096),
    email: indexed,
    meta: freeForm().nullish(),
  }).nullish(),
  target: strictObject({ type: indexed, id: indexed, meta: freeForm().nullish() }).nullish(),
  context: freeForm({ properties: { ip: contextText, user_agent: contextText } }).nullish(),
  description: z.string({ error: 'must be text' }).meta(storable).nullish(),
  diff: strictObject({ before: z.unknown().optional(), after: z.unknown().optional() }).nullish(),
  metadata: freeForm().nullish(),
  occurred_at: z
    .string({ error: 'must be a time, as text' })
    .meta({ pattern: timePatterns.time, description: 'RFC 3339; now when left out, UTC without a zone' })
    .nullish(),
});

export type EventInput = z.output<typeof eventInput>;

import { z } from 'zod';
import type { ErasedProof } from '../evidence/proof.ts';
import { storableTextPattern } from '../json/json.ts';
import { unknownName } from '../nearest-name.ts';
import { strictObject } from '../strict-object.ts';
import { timePatterns } from '../times.ts';
import {
  contextCopies,
  eventLeaves,
  eventMembers,
  type FieldType,
  isGroup,
  type JsonShape,
  type Leaf,
  type Member,
} from './members.ts';

/** Severities in the order of their rank. */
export const severities = ['Info', 'Medium', 'High', 'Critical', 'Error'] as const;
export type Severity = (typeof severities)[number];

export type JsonObject = { [key: string]: unknown };

/** What JSON of each shape is; one that is missing does not compile. */
type JsonValue<S extends JsonShape> = {
  object: JsonObject;
  context: { ip: string | null; user_agent: string | null; [key: string]: unknown };
  change: { before: unknown; after: unknown };
}[S];
type OrNull<M, V> = M extends { nullable: true } ? V | null : V;
type ValueOf<M> = M extends { members: readonly (infer L extends Leaf)[] }
  ? { [Each in L as Each['name']]: OrNull<Each, ValueOf<Each>> }
  : M extends { shape: infer S extends JsonShape }
    ? JsonValue<S>
    : M extends { type: 'severity' }
      ? Severity
      : M extends { type: 'integer' }
        ? number
        : M extends { type: 'proof' }
          ? { seed: string } | ErasedProof
          : string;

/** The event as GET returns it. */
export type Event = { [M in (typeof eventMembers)[number] as M['name']]: OrNull<M, ValueOf<M>> };

/** A field of an event: its path as the API names it, type, column in the table. `csv` ones stand in a CSV without `properties`. */
export type EventField = { path: string; csv: boolean; nullable: boolean } & (
  | { type: Exclude<FieldType, 'json'>; column: string }
  | { type: 'json'; column: string | null }
);

/** The fields that come first, in this order; others follow in that of the tree. Files have had their columns so from the start. */
const firstFields = [
  ...['id', 'sequence_number', 'occurred_at', 'received_at', 'created_at', 'action', 'severity'],
  ...['actor', 'actor.id', 'actor.type', 'actor.name', 'actor.email', 'actor.meta'],
  ...['target', 'target.type', 'target.id', 'target.meta', 'context.ip', 'context.user_agent', 'context'],
];
/** These come last. */
const lastFields = ['hash', 'previous_hash', 'proof'];

const place = ({ path }: EventField): number => {
  const first = firstFields.indexOf(path);
  if (first >= 0) return first;
  return firstFields.length + 1 + lastFields.indexOf(path);
};

/** The fields of an event: filters, columns and sorts are made from them. */
export const eventFields: readonly EventField[] = [
  ...eventLeaves.map(
    ({ path, type, column, repeats, proves, nullable = false }) =>
      ({ path, type, column, csv: !repeats && !proves, nullable }) as EventField,
  ),
  ...contextCopies.map(
    ({ name, type, column }): EventField => ({ path: `context.${name}`, type, column, csv: true, nullable: true }),
  ),
  ...(eventMembers as readonly Member[])
    .filter(isGroup)
    .map(
      ({ name, nullable = false }): EventField => ({ path: name, type: 'json', column: null, csv: false, nullable }),
    ),
].toSorted((a, b) => place(a) - place(b));

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
/** An empty list is taken for an object without members, which is how PHP writes one; the document does not tell of it. */
const freeForm = (properties: object = {}) =>
  z
    .custom<JsonObject | []>(
      (value) => typeof value === 'object' && value !== null && !(Array.isArray(value) && value.length > 0),
      {
        error: 'must be a JSON object',
      },
    )
    .meta({ type: 'object', additionalProperties: true, ...properties })
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
    .meta({ pattern: storableTextPattern.replace('^', '^(?!logferry\\.)') }),
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

/** Events of one JSON batch. NDJSON has no limit. */
export const batchLimit = 1000;

import type { FieldError } from '../errors.ts';
import { digestOf } from '../evidence/digest.ts';
import { newSeed } from '../evidence/seeds.ts';
import { fieldErrors } from '../field-errors.ts';
import { newId } from '../ids.ts';
import { canonicalJson } from '../json/canonical-json.ts';
import { countMembers } from '../json/duplicate-members.ts';
import { findUnstorable, isTooDeep } from '../json/json.ts';
import { now, parseTimestamp, type Timestamp } from '../times.ts';
import type { NewEvent } from './event-columns.ts';
import { compartmentTexts } from './event-text.ts';
import { type EventInput, eventInput } from './events.ts';

type Read = { event: NewEvent } | { errors: FieldError[] };

/** Actions that begin so are events of Logferry itself: nobody outside may write them, so none of them is forged. */
const systemActions = 'logferry.';
const reserved = {
  path: 'action',
  message: `must not begin with "${systemActions}", which is reserved for events of Logferry`,
};

/**
 * Checks one event from outside and completes it. `path` stands before the path of each mistake (`events.500`).
 * Gives either the event or all mistakes found.
 */
export function readNewEvent(value: unknown, path = ''): Read {
  const read = readEvent(value);
  const isForged = 'event' in read && read.event.action.startsWith(systemActions);
  if ('event' in read && !isForged) return read;
  const errors = 'event' in read ? [reserved] : read.errors;
  return { errors: errors.map((error) => ({ ...error, path: [path, error.path].filter(Boolean).join('.') })) };
}

/** Completes an event of Logferry's own. @throws Error for one that is not valid, which is a mistake of ours */
export function systemEvent(event: { action: `logferry.${string}` } & Record<string, unknown>): NewEvent {
  const read = readEvent(event);
  if ('errors' in read) throw new Error(`The event of the system is not valid: ${JSON.stringify(read.errors)}`);
  return read.event;
}

function readEvent(value: unknown): Read {
  const parsed = eventInput.safeParse(value);
  return parsed.success ? completeEvent(parsed.data) : { errors: parsed.error.issues.flatMap(fieldErrors) };
}

/** Bytes that one event may have as canonical JSON: a list, a batch or a row of a file holds whole events in memory. */
export const eventLimitBytes = 1024 * 1024;

/** Members of one event, at all levels: sorting them takes time that others wait. */
const mostMembers = 20_000;
const tooManyMembers: FieldError = { path: '', message: `has more than ${mostMembers} members` };

/** A character has three bytes at most, so most texts need not be measured. */
function isTooLarge(texts: readonly string[]): boolean {
  let characters = 0;
  for (const text of texts) characters += text.length;
  if (characters * 3 <= eventLimitBytes) return false;
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0) > eventLimitBytes;
}

const tooLarge: FieldError = {
  path: '',
  message: `has more than ${eventLimitBytes} bytes as canonical JSON, the most that one event may have`,
};

function completeEvent(input: EventInput): Read {
  if (countMembers(input) > mostMembers) return { errors: [tooManyMembers] };
  const received_at = now();
  const occurred_at = input.occurred_at == null ? received_at : parseTimestamp(input.occurred_at);
  const errors = beyondTheSchema(input, occurred_at);
  if (errors.length > 0 || !occurred_at) return { errors: [...unstorableIn(input), ...errors] };
  const event = withoutDigest(input, { occurred_at, received_at });
  const texts = compartmentTexts(event);
  // Canonical JSON escapes what cannot be stored, and little else: most events need no look at each of their texts.
  if (texts.some((text) => text.includes('\\u')) || isTooDeep(input)) {
    const unstorable = unstorableIn(input);
    if (unstorable.length > 0) return { errors: unstorable };
  }
  if (isTooLarge(texts)) return { errors: [tooLarge] };
  event.digest = digestOf(event.seed, texts);
  return { event };
}

function beyondTheSchema(input: EventInput, occurredAt: Timestamp | undefined): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['ip', 'user_agent'] as const) {
    const member = input.context?.[name];
    if (typeof member !== 'string' && member !== undefined && member !== null) {
      errors.push({ path: `context.${name}`, message: 'must be text' });
    }
  }
  if (!occurredAt) {
    errors.push({ path: 'occurred_at', message: 'must be an RFC 3339 time such as 2026-11-22T10:00:00.000000Z' });
  }
  return errors;
}

function unstorableIn(input: EventInput): FieldError[] {
  const error = findUnstorable(input);
  return error ? [error] : [];
}

const noDigest = Buffer.alloc(0);

function withoutDigest(
  input: EventInput,
  { occurred_at, received_at }: Pick<NewEvent, 'occurred_at' | 'received_at'>,
): NewEvent {
  const { actor, target, diff } = input;
  // JSON.parse makes `__proto__` a member like any other, and a spread copies it as one: no setter is called.
  const ip = (input.context?.ip as string | null | undefined) ?? null;
  const user_agent = (input.context?.user_agent as string | null | undefined) ?? null;
  return {
    id: input.id ?? newId(),
    own_id: input.id != null,
    occurred_at,
    received_at,
    severity: input.severity ?? 'Info',
    action: input.action,
    actor_id: actor?.id ?? null,
    actor_type: actor?.type ?? null,
    actor_name: actor?.name ?? null,
    actor_email: actor?.email ?? null,
    actor_meta: canonicalOrNull(actor?.meta),
    target_type: target?.type ?? null,
    target_id: target?.id ?? null,
    target_meta: canonicalOrNull(target?.meta),
    context_ip: ip,
    context_user_agent: user_agent,
    context: canonicalJson({ ...input.context, ip, user_agent }),
    description: input.description ?? null,
    // A diff of nulls alone is the same as none.
    diff: diff?.before == null && diff?.after == null ? null : canonicalDiff(diff),
    metadata: canonicalJson(input.metadata ?? {}),
    seed: newSeed(),
    digest: noDigest,
  };
}

const canonicalOrNull = (value: unknown): string | null => (value == null ? null : canonicalJson(value));

const canonicalDiff = (diff: { before?: unknown; after?: unknown }): string =>
  canonicalJson({ before: diff.before ?? null, after: diff.after ?? null });

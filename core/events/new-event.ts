import type { FieldError } from '../errors.ts';
import { fieldErrors } from '../field-errors.ts';
import { newId } from '../ids.ts';
import { canonicalJson } from '../json/canonical-json.ts';
import { findUnstorable, isTooDeep } from '../json/json.ts';
import { now, parseTimestamp, type Timestamp } from '../times.ts';
import type { NewEvent } from './event-columns.ts';
import { canonicalEvent, digestOf } from './event-text.ts';
import { type EventInput, eventInput } from './events.ts';

type Read = { event: NewEvent } | { errors: FieldError[] };

/**
 * Checks one event from outside and completes it. `path` stands before the path of each mistake (`events.500`).
 * Gives either the event or all mistakes found.
 */
export function readNewEvent(value: unknown, path = ''): Read {
  const parsed = eventInput.safeParse(value);
  const read = parsed.success ? completeEvent(parsed.data) : { errors: parsed.error.issues.flatMap(fieldErrors) };
  if ('event' in read) return read;
  return { errors: read.errors.map((error) => ({ ...error, path: [path, error.path].filter(Boolean).join('.') })) };
}

function completeEvent(input: EventInput): Read {
  const received_at = now();
  const occurred_at = input.occurred_at == null ? received_at : parseTimestamp(input.occurred_at);
  const errors = beyondTheSchema(input, occurred_at);
  if (errors.length > 0 || !occurred_at) return { errors: [...unstorableIn(input), ...errors] };
  const event = withoutDigest(input, { occurred_at, received_at });
  const canonical = canonicalEvent(event);
  // Canonical JSON escapes what cannot be stored, and little else: most events need no look at each of their texts.
  if (canonical.includes('\\u') || isTooDeep(input)) {
    const unstorable = unstorableIn(input);
    if (unstorable.length > 0) return { errors: unstorable };
  }
  event.digest = digestOf(canonical);
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
    digest: '',
  };
}

const canonicalOrNull = (value: unknown): string | null => (value == null ? null : canonicalJson(value));

const canonicalDiff = (diff: { before?: unknown; after?: unknown }): string =>
  canonicalJson({ before: diff.before ?? null, after: diff.after ?? null });

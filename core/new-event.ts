import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { FieldError } from './errors.ts';
import { type EventInput, eventInput, type Severity } from './events.ts';
import { newId } from './ids.ts';
import { findUnstorable } from './json.ts';
import { now, parseTimestamp, type Timestamp } from './times.ts';

/** An event checked and completed, ready to be numbered and chained. JSON members are canonical text (RFC 8785). */
export type NewEvent = {
  id: string;
  /** Whether the client gave the id: then a stored event of that id stands, and this one is a repeat. */
  own_id: boolean;
  occurred_at: Timestamp;
  received_at: Timestamp;
  severity: Severity;
  action: string;
  actor_id: string | null;
  actor_type: string | null;
  actor_name: string | null;
  actor_email: string | null;
  actor_meta: string | null;
  target_type: string | null;
  target_id: string | null;
  target_meta: string | null;
  context_ip: string | null;
  context_user_agent: string | null;
  context: string;
  description: string | null;
  diff: string | null;
  metadata: string;
  /** SHA-256 of the event's canonical JSON, as hex (docs/chain.md). */
  digest: string;
};

/**
 * Checks one event from outside and completes it. `path` stands before the path of each mistake (`events.500`).
 * Gives either the event or all mistakes found.
 */
export function readNewEvent(value: unknown, path = ''): { event: NewEvent } | { errors: FieldError[] } {
  const parsed = eventInput.safeParse(value);
  const at = (inner: string) => [path, inner].filter(Boolean).join('.');
  if (!parsed.success) {
    return { errors: parsed.error.issues.map((i) => ({ path: at(i.path.join('.')), message: i.message })) };
  }
  const errors: FieldError[] = [];
  const input = parsed.data;
  const unstorable = findUnstorable(input, '');
  if (unstorable) errors.push({ path: at(unstorable.path.slice(1)), message: unstorable.message });
  for (const name of ['ip', 'user_agent'] as const) {
    const member = input.context?.[name];
    if (typeof member !== 'string' && member !== undefined && member !== null) {
      errors.push({ path: at(`context.${name}`), message: 'must be text' });
    }
  }
  const occurredAt = input.occurred_at == null ? undefined : parseTimestamp(input.occurred_at);
  if (input.occurred_at != null && !occurredAt) {
    errors.push({ path: at('occurred_at'), message: 'must be an RFC 3339 time such as 2026-11-22T10:00:00.000000Z' });
  }
  if (errors.length > 0) return { errors };
  return { event: completeEvent(input, occurredAt) };
}

function completeEvent(input: EventInput, occurredAt: Timestamp | undefined): NewEvent {
  const received_at = now();
  const { actor, target, diff } = input;
  const ip = (input.context?.ip as string | null | undefined) ?? null;
  const userAgent = (input.context?.user_agent as string | null | undefined) ?? null;
  // `__proto__` is a key like any other, so the members are copied by definition, not by assignment.
  const context = { ...input.context, ip, user_agent: userAgent };
  const whole = {
    id: input.id ?? newId(),
    occurred_at: occurredAt ?? received_at,
    received_at,
    action: input.action,
    severity: input.severity ?? ('Info' as const),
    actor: {
      id: actor?.id ?? null,
      type: actor?.type ?? null,
      name: actor?.name ?? null,
      email: actor?.email ?? null,
      meta: actor?.meta ?? null,
    },
    target: hasMembers(target) ? { type: target.type ?? null, id: target.id ?? null, meta: target.meta ?? null } : null,
    context,
    description: input.description ?? null,
    diff: hasMembers(diff) ? { before: diff.before ?? null, after: diff.after ?? null } : null,
    metadata: input.metadata ?? {},
  };
  return {
    id: whole.id,
    own_id: input.id != null,
    occurred_at: whole.occurred_at,
    received_at,
    severity: whole.severity,
    action: whole.action,
    actor_id: whole.actor.id,
    actor_type: whole.actor.type,
    actor_name: whole.actor.name,
    actor_email: whole.actor.email,
    actor_meta: whole.actor.meta && canonicalJson(whole.actor.meta),
    target_type: whole.target?.type ?? null,
    target_id: whole.target?.id ?? null,
    target_meta: whole.target?.meta ? canonicalJson(whole.target.meta) : null,
    context_ip: ip,
    context_user_agent: userAgent,
    context: canonicalJson(whole.context),
    description: whole.description,
    diff: whole.diff && canonicalJson(whole.diff),
    metadata: canonicalJson(whole.metadata),
    digest: createHash('sha256').update(canonicalJson(whole)).digest('hex'),
  };
}

/** A target or diff of nulls alone is the same as none. */
function hasMembers<T extends object>(value: T | null | undefined): value is T {
  return value != null && Object.values(value).some((member) => member != null);
}

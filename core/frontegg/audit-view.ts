import type { Event } from '../events/events.ts';
import type { Timestamp } from '../times.ts';
import { type AuditConstants, type AuditFieldName, auditFields } from './fields.ts';

/** An event as Frontegg's clients read it. */
export type Audit = Record<AuditFieldName, unknown> & { [custom: string]: unknown };

/**
 * The event with Frontegg's names, and the keys of its metadata beside them. Where one of these has such a name, as in
 * events that came another way, the event's own member stands.
 */
export function auditView(event: Event, constants: AuditConstants): Audit {
  const { metadata, actor, context } = event;
  const own: Record<AuditFieldName, unknown> = {
    frontegg_id: event.id,
    ...constants,
    createdAt: milliseconds(event.occurred_at),
    updatedAt: milliseconds(event.received_at),
    severity: event.severity,
    action: event.action,
    description: event.description,
    email: actor.email,
    ip: context.ip,
    userAgent: context.user_agent,
    user: actor.name,
    resource: event.target?.type ?? null,
    actorId: actor.id,
    environmentName: metadata.environmentName ?? null,
    json: metadata.json ?? null,
  };
  const custom = Object.entries(metadata).filter(([name]) => !names.has(name));
  // Not assigned one by one: a key may be `__proto__`.
  return { ...own, ...Object.fromEntries(custom) };
}

const names: ReadonlySet<string> = new Set(auditFields.map((field) => field.name));

/** ISO 8601 with milliseconds, as there. */
const milliseconds = (time: Timestamp): string => `${time.slice(0, 23)}Z`;

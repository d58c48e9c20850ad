import { invalid } from '../errors.ts';
import type { NewEvent } from '../events/event-columns.ts';
import type { JsonObject } from '../events/events.ts';
import { readNewEvent } from '../events/new-event.ts';

/** Stored for an audit that says nothing of it: every event has an action. */
export const noAction = 'unspecified';

/** The members that stand in columns of the event, and where. Numbers and booleans become text there. */
const columns = {
  action: ['action'],
  severity: ['severity'],
  description: ['description'],
  email: ['actor', 'email'],
  user: ['actor', 'name'],
  actorId: ['actor', 'id'],
  resource: ['target', 'type'],
  ip: ['context', 'ip'],
  userAgent: ['context', 'user_agent'],
} as const satisfies Record<string, readonly [string, string?]>;

/** What the server says of each audit itself, whatever the client has sent. */
const ofTheServer = ['frontegg_id', 'vendorId', 'tenantId', 'createdAt', 'updatedAt'];

/** Older clients know `Attention`. */
export const formerSeverity = (text: string): string => (text.toLowerCase() === 'attention' ? 'Medium' : text);

/**
 * Reads an audit that a client of Frontegg has written: known members, and any others, which are kept as they are.
 * @throws AppError validation_error with all mistakes, under the client's own names
 */
export function readAudit(body: unknown): NewEvent {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ path: '', message: 'must be a JSON object: the audit' }]);
  }
  const read = readNewEvent(eventOf(body as JsonObject));
  if ('event' in read) return read.event;
  throw invalid(read.errors.map(({ path, message }) => ({ path: clientsName(path), message })));
}

function eventOf(audit: JsonObject): JsonObject {
  const event: Record<string, JsonObject | unknown> = { actor: {}, target: {}, context: {} };
  for (const [name, [member, inner]] of Object.entries(columns)) {
    const value = textOf(name, Object.hasOwn(audit, name) ? audit[name] : undefined);
    if (inner === undefined) event[member] = value;
    else (event[member] as JsonObject)[inner] = value;
  }
  const custom = Object.entries(audit).filter(([name]) => !Object.hasOwn(columns, name) && !ofTheServer.includes(name));
  return { ...event, metadata: Object.fromEntries(custom) };
}

function textOf(name: string, value: unknown): unknown {
  const isUnset = value === undefined || value === null || value === '';
  if (name === 'action' && isUnset) return noAction;
  if (name === 'severity') return isUnset ? undefined : typeof value === 'string' ? formerSeverity(value) : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}

/** The name that the client gave to what stands at this path of the event. */
function clientsName(path: string): string {
  const known = Object.entries(columns).find(([, steps]) => steps.join('.') === path);
  return known?.[0] ?? path.replace(/^metadata\./, '');
}

import type { NewEvent } from '../../core/events/event-columns.ts';

/**
 * Columns of events that a new event brings along: name and type. The sequence number, the tenant and the hashes are added
 * on the way.
 */
export const newEventColumns = [
  ['id', 'uuid'],
  ['occurred_at', 'timestamptz'],
  ['received_at', 'timestamptz'],
  ['severity', 'severity'],
  ['action', 'text'],
  ['actor_id', 'text'],
  ['actor_type', 'text'],
  ['actor_name', 'text'],
  ['actor_email', 'text'],
  ['actor_meta', 'json'],
  ['target_type', 'text'],
  ['target_id', 'text'],
  ['target_meta', 'json'],
  ['context_ip', 'text'],
  ['context_user_agent', 'text'],
  ['context', 'json'],
  ['description', 'text'],
  ['diff', 'json'],
  ['metadata', 'json'],
] as const satisfies [keyof NewEvent, string][];

/** Their names, as a list of SQL. */
export const newEventNames = newEventColumns.map(([name]) => name).join(', ');

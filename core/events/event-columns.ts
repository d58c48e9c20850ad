import type { Timestamp } from '../times.ts';
import type { Severity } from './events.ts';

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

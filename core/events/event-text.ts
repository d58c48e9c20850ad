import { hash } from 'node:crypto';
import type { NewEvent } from './event-columns.ts';

/** The members of an event as columns; JSON members are canonical text (RFC 8785). */
export type EventColumns = Omit<NewEvent, 'own_id' | 'digest'>;

/** Where an event stands in its tenant's chain. Hashes as hex. */
export type ChainLink = { sequenceNumber: number; hash: string; previousHash: string };

/**
 * The text that the digest is made of: RFC 8785 canonical JSON of the members named in docs/chain.md. Put together from
 * the columns, because their JSON is canonical already; prisma/events/verify.ts builds the same text in SQL.
 */
export function canonicalEvent(event: EventColumns): string {
  const actor = `{"email":${quote(event.actor_email)},"id":${quote(event.actor_id)},"meta":${event.actor_meta},"name":${quote(event.actor_name)},"type":${quote(event.actor_type)}}`;
  const target = hasTarget(event)
    ? `{"id":${quote(event.target_id)},"meta":${event.target_meta},"type":${quote(event.target_type)}}`
    : 'null';
  return `{"action":${quote(event.action)},"actor":${actor},"context":${event.context},"description":${quote(event.description)},"diff":${event.diff},"id":"${event.id}","metadata":${event.metadata},"occurred_at":"${event.occurred_at}","received_at":"${event.received_at}","severity":"${event.severity}","target":${target}}`;
}

/** The digest of an event: SHA-256 of canonicalEvent(), as hex. */
export const digestOf = (canonical: string): string => hash('sha256', canonical, 'hex');

/** The event as GET writes it, to the byte (prisma/sql/values.ts: wholeEventJson). */
export function eventJson(event: EventColumns, { sequenceNumber, hash, previousHash }: ChainLink): string {
  const actor = `{"id":${quote(event.actor_id)},"type":${quote(event.actor_type)},"name":${quote(event.actor_name)},"email":${quote(event.actor_email)},"meta":${event.actor_meta}}`;
  const target = hasTarget(event)
    ? `{"type":${quote(event.target_type)},"id":${quote(event.target_id)},"meta":${event.target_meta}}`
    : 'null';
  return `{"id":"${event.id}","sequence_number":${sequenceNumber},"action":${quote(event.action)},"severity":"${event.severity}","actor":${actor},"target":${target},"context":${event.context},"description":${quote(event.description)},"diff":${event.diff},"metadata":${event.metadata},"occurred_at":"${event.occurred_at}","received_at":"${event.received_at}","created_at":"${event.received_at}","hash":"${hash}","previous_hash":"${previousHash}"}`;
}

// JSON.stringify writes texts as RFC 8785 section 3.2.2.2 asks, and null as JSON has it.
const quote = (text: string | null): string => JSON.stringify(text);

const hasTarget = (event: EventColumns): boolean =>
  event.target_type !== null || event.target_id !== null || event.target_meta !== null;

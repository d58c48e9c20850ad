import { hash } from 'node:crypto';
import type { ChainLink } from './chain-link.ts';
import type { EventColumns } from './event-columns.ts';
import {
  type ChainedColumn,
  digestMembers,
  eventMembers,
  type Group,
  isGroup,
  type Leaf,
  type Member,
} from './members.ts';

type WriteEvent = (event: EventColumns, link?: ChainLink) => string;

/**
 * Makes the function that writes these members as JSON. It is compiled from the tree, once, into a single template: every
 * event is written through two of them, and calling a function for each member took twice as long (2.7 µs an event became
 * 5.5). Only names and columns of core/events/members.ts become code.
 */
const compile = (members: readonly Member[]): WriteEvent =>
  new Function('event', 'link', `return ${objectCode(members)};`) as WriteEvent;

function objectCode(members: readonly Member[]): string {
  const written = members.map(
    (member) => `"${member.name}":\${${isGroup(member) ? groupCode(member) : leafCode(member)}}`,
  );
  return `\`{${written.join(',')}}\``;
}

function groupCode({ members, nullable }: Group): string {
  if (!nullable) return objectCode(members);
  return `${members.map(({ column }) => `event.${column} !== null`).join(' || ')} ? ${objectCode(members)} : null`;
}

// JSON.stringify writes texts as RFC 8785 section 3.2.2.2 asks, and null as JSON has it.
function leafCode({ type, column, chained }: Leaf): string {
  if (chained) {
    const added = `link.${inLink[column as ChainedColumn]}`;
    return type === 'integer' ? added : `'"' + ${added} + '"'`;
  }
  if (type === 'text') return `JSON.stringify(event.${column})`;
  // Canonical text already, and null is written as it is.
  return type === 'json' ? `event.${column}` : `'"' + event.${column} + '"'`;
}

/** What the chain adds, by its column: one that is missing does not compile. */
const inLink: Record<ChainedColumn, keyof ChainLink> = {
  sequence_number: 'sequenceNumber',
  hash: 'hash',
  previous_hash: 'previousHash',
};

const writeDigested = compile(digestMembers);
const writeWhole = compile(eventMembers);

/**
 * The text that the digest is made of: RFC 8785 canonical JSON of the members named in docs/chain.md. Put together from
 * the columns, because their JSON is canonical already; prisma/sql/event-json.ts builds the same text in SQL.
 */
export const canonicalEvent = (event: EventColumns): string => writeDigested(event);

/** The digest of an event: SHA-256 of canonicalEvent(), as hex. */
export const digestOf = (canonical: string): string => hash('sha256', canonical, 'hex');

/** The event as GET writes it, to the byte (prisma/sql/event-json.ts: wholeEventJson). */
export const eventJson = (event: EventColumns, link: ChainLink): string => writeWhole(event, link);

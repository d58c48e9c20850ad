import type { ChainLink } from '../evidence/chain-link.ts';
import { compartments, type OfEach } from '../evidence/compartments.ts';
import { seedProof } from '../evidence/proof.ts';
import type { EventColumns, NewEvent } from './event-columns.ts';
import {
  type ChainedColumn,
  compartmentMembers,
  eventMembers,
  type Group,
  isGroup,
  type Leaf,
  type Member,
} from './members.ts';

/**
 * Makes a function of this expression. Code is compiled from the tree, once, into a single template for each text: every
 * event is written through them, and calling a function for each member took twice as long (2.7 µs an event became 5.5).
 * Only names and columns of core/events/members.ts become code.
 */
const compile = <Write>(expression: string): Write =>
  new Function('event', 'link', 'proof', `return ${expression};`) as Write;

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
function leafCode({ type, column, chained, proves }: Leaf): string {
  if (proves) return 'proof';
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

const compartmentCode = compartments.map((compartment) => {
  const members = compartmentMembers[compartment];
  return 'column' in members ? leafCode(members) : objectCode(members);
});

/**
 * The compartments of an event as RFC 8785 canonical JSON, of which its commitments are made (docs/verify.md). Put together
 * from the columns, because their JSON is canonical already; prisma/sql/event-json.ts builds the same texts in SQL.
 */
export const compartmentTexts = compile<(event: EventColumns) => OfEach<string>>(`[${compartmentCode.join(', ')}]`);

const writeWhole = compile<(event: EventColumns, link: ChainLink, proof: string) => string>(objectCode(eventMembers));

/** The event as GET writes it, to the byte (prisma/sql/event-json.ts: wholeEventJson). */
export const eventJson = (event: NewEvent, link: ChainLink): string => writeWhole(event, link, seedProof(event.seed));

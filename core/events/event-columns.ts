import type { Severity } from './events.ts';
import type { AnyLeaf, contextCopies } from './members.ts';

/** The values that an event brings along; the others are added by the chain, or are names for these. */
type Brought = Extract<AnyLeaf, { compartment: string }> | (typeof contextCopies)[number];
type Stored<L> = L extends { type: 'severity' } ? Severity : L extends { nullable: true } ? string | null : string;

/** The values of an event by their columns; times as the API writes them, JSON as canonical text (RFC 8785). */
export type EventColumns = { [L in Brought as L['column']]: Stored<L> };

/** An event checked and completed, ready to be numbered and chained. */
export type NewEvent = EventColumns & {
  /** Whether the client gave the id: then a stored event of that id stands, and this one is a repeat. */
  own_id: boolean;
  /** What its salts are made of, and what it is proven by (docs/verify.md). */
  seed: Buffer;
  digest: Buffer;
};

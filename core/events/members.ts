import { type Compartment, compartments } from '../evidence/compartments.ts';

/**
 * What a field holds. `json` fields are free-form: paths may go on inside them. `proof` is JSON that is made of two columns
 * (docs/verify.md).
 */
export type FieldType = 'uuid' | 'integer' | 'time' | 'severity' | 'text' | 'json' | 'hash' | 'proof';

/** A value and its column; of a `json` one, `shape` says what JSON it is. */
export type Value = {
  name: string;
  /** Its column in the table of events. */
  column: string;
  nullable?: true;
  /** For the OpenAPI document. */
  about?: string;
} & ({ type: 'json'; shape: JsonShape } | { type: Exclude<FieldType, 'json'>; shape?: never });

/** A value of an event. One that does not say how it is proven does not compile. */
export type Leaf = Value & Proven;

export type JsonShape = 'object' | 'context' | 'change';

/** How the digest holds a value, or why it does not. */
type Proven = Committed | Chained | Repeated | Proving;
/** It stands in a compartment: under its name or `committedAs`, or, if that is null, as the whole of it. */
type Committed = {
  compartment: Compartment;
  committedAs?: string | null;
  chained?: never;
  repeats?: never;
  proves?: never;
};
/** Given by the chain when the event is stored. */
type Chained = { chained: true; compartment?: never; repeats?: never; proves?: never };
/** Another name of a column that is there already; a CSV without `properties` does not have it either. */
type Repeated = { repeats: true; compartment?: never; chained?: never; proves?: never };
/** What the digest can be computed with. */
type Proving = { proves: true; compartment?: never; chained?: never; repeats?: never };

/** Values that belong together. Of one that may be null, all are null then. */
export type Group = { name: string; members: readonly Leaf[]; nullable?: true };
export type Member = Leaf | Group;

/**
 * The shape of an event, in the order in which replies have its members. The one list of them: columns, fields, filters, the
 * SQL and the text of a whole event, its compartments, the rows of files and OpenAPI are made from it.
 */
export const eventMembers = [
  { name: 'id', type: 'uuid', column: 'id', compartment: 'what' },
  {
    name: 'sequence_number',
    type: 'integer',
    column: 'sequence_number',
    chained: true,
    about: "Counts the tenant's events from 1 without gaps",
  },
  { name: 'action', type: 'text', column: 'action', compartment: 'what' },
  { name: 'severity', type: 'severity', column: 'severity', compartment: 'what' },
  {
    name: 'actor',
    members: [
      { name: 'id', type: 'text', column: 'actor_id', nullable: true, compartment: 'actor' },
      { name: 'type', type: 'text', column: 'actor_type', nullable: true, compartment: 'actor' },
      { name: 'name', type: 'text', column: 'actor_name', nullable: true, compartment: 'person' },
      { name: 'email', type: 'text', column: 'actor_email', nullable: true, compartment: 'person' },
      { name: 'meta', type: 'json', column: 'actor_meta', nullable: true, shape: 'object', compartment: 'person' },
    ],
  },
  {
    name: 'target',
    nullable: true,
    members: [
      {
        name: 'type',
        type: 'text',
        column: 'target_type',
        nullable: true,
        compartment: 'what',
        committedAs: 'target_type',
      },
      { name: 'id', type: 'text', column: 'target_id', nullable: true, compartment: 'target' },
      { name: 'meta', type: 'json', column: 'target_meta', nullable: true, shape: 'object', compartment: 'target' },
    ],
  },
  { name: 'context', type: 'json', column: 'context', shape: 'context', compartment: 'context', committedAs: null },
  { name: 'description', type: 'text', column: 'description', nullable: true, compartment: 'detail' },
  { name: 'diff', type: 'json', column: 'diff', nullable: true, shape: 'change', compartment: 'detail' },
  { name: 'metadata', type: 'json', column: 'metadata', shape: 'object', compartment: 'detail' },
  { name: 'occurred_at', type: 'time', column: 'occurred_at', compartment: 'what' },
  { name: 'received_at', type: 'time', column: 'received_at', compartment: 'what' },
  { name: 'created_at', type: 'time', column: 'received_at', repeats: true, about: 'The same as `received_at`' },
  {
    name: 'hash',
    type: 'hash',
    column: 'hash',
    chained: true,
    about: 'Chains the events; docs/verify.md has the rule',
  },
  { name: 'previous_hash', type: 'hash', column: 'previous_hash', chained: true },
  {
    name: 'proof',
    type: 'proof',
    column: 'seed',
    proves: true,
    about:
      'What the digest is computed with (docs/verify.md): `seed`, or `salts` and `erased` once something was erased',
  },
] as const satisfies readonly Member[];

/** Columns that repeat a text inside `context`, for filters and columns of files. No digest holds them, as it holds `context`. */
export const contextCopies = [
  { name: 'ip', type: 'text', column: 'context_ip', nullable: true },
  { name: 'user_agent', type: 'text', column: 'context_user_agent', nullable: true },
] as const satisfies readonly Value[];

type LeafOf<M> = M extends { members: readonly (infer L)[] } ? L : M;
/** The type of every value of the tree. */
export type AnyLeaf = LeafOf<(typeof eventMembers)[number]>;
/** Columns of what the chain adds. */
export type ChainedColumn = Extract<AnyLeaf, { chained: true }>['column'];

export const isGroup = (member: Member): member is Group => 'members' in member;

/** Every value of the tree with its path. */
export const eventLeaves: readonly (Leaf & { path: string })[] = (eventMembers as readonly Member[]).flatMap(
  (member) =>
    isGroup(member)
      ? member.members.map((leaf) => ({ ...leaf, path: `${member.name}.${leaf.name}` }))
      : { ...member, path: member.name },
);

const committed = eventLeaves.filter((leaf) => leaf.compartment !== undefined);

/**
 * What each compartment holds, of which its commitment is made: the members of an object, sorted by name as RFC 8785 has it,
 * or the one value that is the whole of it.
 */
export const compartmentMembers = Object.fromEntries(
  compartments.map((compartment) => [compartment, membersOf(compartment)]),
) as Readonly<Record<Compartment, readonly Leaf[] | Leaf>>;

function membersOf(compartment: Compartment): readonly Leaf[] | Leaf {
  const leaves = committed.filter((leaf) => leaf.compartment === compartment);
  return (
    leaves.find(({ committedAs }) => committedAs === null) ??
    leaves.map((leaf): Leaf => ({ ...leaf, name: leaf.committedAs ?? leaf.name })).toSorted(byName)
  );
}

function byName(a: Leaf, b: Leaf): number {
  return a.name < b.name ? -1 : 1;
}

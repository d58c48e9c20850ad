/** What a field holds. `json` fields are free-form: paths may go on inside them. */
export type FieldType = 'uuid' | 'integer' | 'time' | 'severity' | 'text' | 'json' | 'hash';

/** A value of an event; of a `json` one, `shape` says what JSON it is. */
export type Leaf = LeafBase &
  ({ type: 'json'; shape: JsonShape } | { type: Exclude<FieldType, 'json'>; shape?: never });

export type JsonShape = 'object' | 'context' | 'change';

type LeafBase = {
  name: string;
  /** Its column in the table of events. */
  column: string;
  nullable?: true;
  /** Given by the chain when the event is stored, and no part of its digest. */
  chained?: true;
  /** Another name of a column that is there already: no part of the digest, nor of a CSV without `properties`. */
  repeats?: true;
  /** For the OpenAPI document. */
  about?: string;
};

/** Values that belong together. Of one that may be null, all are null then. */
export type Group = { name: string; members: readonly Leaf[]; nullable?: true };
export type Member = Leaf | Group;

/**
 * The shape of an event, in the order in which replies have its members. The one list of them: columns, fields, filters, the
 * SQL and the text of a whole event, its digest, the rows of files and OpenAPI are made from it.
 */
export const eventMembers = [
  { name: 'id', type: 'uuid', column: 'id' },
  {
    name: 'sequence_number',
    type: 'integer',
    column: 'sequence_number',
    chained: true,
    about: "Counts the tenant's events from 1 without gaps",
  },
  { name: 'action', type: 'text', column: 'action' },
  { name: 'severity', type: 'severity', column: 'severity' },
  {
    name: 'actor',
    members: [
      { name: 'id', type: 'text', column: 'actor_id', nullable: true },
      { name: 'type', type: 'text', column: 'actor_type', nullable: true },
      { name: 'name', type: 'text', column: 'actor_name', nullable: true },
      { name: 'email', type: 'text', column: 'actor_email', nullable: true },
      { name: 'meta', type: 'json', column: 'actor_meta', nullable: true, shape: 'object' },
    ],
  },
  {
    name: 'target',
    nullable: true,
    members: [
      { name: 'type', type: 'text', column: 'target_type', nullable: true },
      { name: 'id', type: 'text', column: 'target_id', nullable: true },
      { name: 'meta', type: 'json', column: 'target_meta', nullable: true, shape: 'object' },
    ],
  },
  { name: 'context', type: 'json', column: 'context', shape: 'context' },
  { name: 'description', type: 'text', column: 'description', nullable: true },
  { name: 'diff', type: 'json', column: 'diff', nullable: true, shape: 'change' },
  { name: 'metadata', type: 'json', column: 'metadata', shape: 'object' },
  { name: 'occurred_at', type: 'time', column: 'occurred_at' },
  { name: 'received_at', type: 'time', column: 'received_at' },
  { name: 'created_at', type: 'time', column: 'received_at', repeats: true, about: 'The same as `received_at`' },
  {
    name: 'hash',
    type: 'hash',
    column: 'hash',
    chained: true,
    about: 'Chains the events; docs/chain.md has the rule',
  },
  { name: 'previous_hash', type: 'hash', column: 'previous_hash', chained: true },
] as const satisfies readonly Member[];

/** Columns that repeat a text inside `context`, for filters and columns of files. No digest holds them, as it holds `context`. */
export const contextCopies = [
  { name: 'ip', type: 'text', column: 'context_ip', nullable: true },
  { name: 'user_agent', type: 'text', column: 'context_user_agent', nullable: true },
] as const satisfies readonly Leaf[];

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

/** What a digest is made of: sorted by name, as RFC 8785 has it, without what the chain adds. */
export const digestMembers: readonly Member[] = (eventMembers as readonly Member[])
  .filter((member) => isGroup(member) || !(member.chained || member.repeats))
  .map((member) => (isGroup(member) ? { ...member, members: member.members.toSorted(byName) } : member))
  .toSorted(byName);

function byName(a: Member, b: Member): number {
  return a.name < b.name ? -1 : 1;
}

import {
  compartmentMembers,
  eventMembers,
  type FieldType,
  type Group,
  isGroup,
  type Leaf,
  type Member,
} from '../../core/events/members.ts';
import { compartments, type OfEach } from '../../core/evidence/compartments.ts';

/** A time as the API writes it, or with 3 digits cut to milliseconds. The session must be in UTC (prisma/client.ts). */
export const timeText = (column: string, digits: 3 | 6 = 6): string =>
  `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.${digits === 3 ? 'MS' : 'US'}"Z"')`;

/** A column as JSON text. to_json() escapes texts as RFC 8785 asks, and the JSON columns hold canonical text. */
const jsonOf: Record<FieldType, (column: string) => { value: string; isQuoted?: true }> = {
  uuid: (column) => ({ value: column, isQuoted: true }),
  integer: (column) => ({ value: column }),
  time: (column) => ({ value: timeText(column), isQuoted: true }),
  severity: (column) => ({ value: column, isQuoted: true }),
  text: (column) => ({ value: `to_json(${column})` }),
  json: (column) => ({ value: column }),
  hash: (column) => ({ value: `encode(${column}, 'hex')`, isQuoted: true }),
  proof: () => ({ value: proofJson }),
};

/** The member `proof` (docs/verify.md): of the seed, or as an erasure has left it. */
export const proofJson = `coalesce(erased::text, concat('{"seed":"', rtrim(translate(encode(seed, 'base64'), '+/', '-_'), '='), '"}'))`;

/** JSON `null` for SQL null. */
const orNull = (expression: string): string => `coalesce((${expression})::text, 'null')`;

/** A member as JSON text, SQL null never: what stands before it, its expression, what stands behind it. */
function memberSql(member: Member): [before: string, expression: string, after: string] {
  if (isGroup(member)) return ['', member.nullable ? `coalesce(${groupSql(member)}, 'null')` : groupSql(member), ''];
  const { value, isQuoted } = jsonOf[member.type](member.column);
  if (isQuoted) return ['"', value, '"'];
  return ['', member.nullable ? orNull(value) : value, ''];
}

function objectSql(members: readonly Member[]): string {
  const parts: string[] = [];
  let text = '';
  for (const [index, member] of members.entries()) {
    const [before, expression, after] = memberSql(member);
    parts.push(`'${text}${index === 0 ? '{' : ','}"${member.name}":${before}'`, expression);
    text = after;
  }
  return `concat(${parts.join(', ')}, '${text}}')`;
}

/** A group as JSON text; SQL null for one that is null. */
function groupSql({ members, nullable }: Group): string {
  const json = objectSql(members);
  if (!nullable) return json;
  return `case when num_nonnulls(${members.map(({ column }: Leaf) => column).join(', ')}) > 0 then ${json} end`;
}

/** The whole event as JSON text, members in the order of the API reference. */
export const wholeEventJson = objectSql(eventMembers);

/** The compartments of an event as JSON text, as core/events/event-text.ts builds them: RFC 8785. */
export const compartmentSql = compartments.map((compartment) => {
  const members = compartmentMembers[compartment];
  return 'column' in members ? `${members.column}::text` : objectSql(members);
}) as unknown as OfEach<string>;

/** Where the whole actor or target is asked for: its JSON, and SQL null for no target. */
export function wholeMemberJson(name: string): string {
  const group = (eventMembers as readonly Member[]).find((member) => member.name === name);
  if (!group || !isGroup(group)) throw new Error(`${name} has no members`);
  return groupSql(group);
}

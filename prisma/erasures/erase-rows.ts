import type { Erasable } from '../../core/events/erasure-request.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import { compartmentMembers, contextCopies, type Leaf, type Value } from '../../core/events/members.ts';
import { compartments } from '../../core/evidence/compartments.ts';
import type { Sql } from '../client.ts';
import { parameters } from '../sql/bind.ts';
import { commitmentSql, saltsSql } from '../sql/digest.ts';
import { filterConditions } from '../sql/filter.ts';

/** Numbers of events: after the one, up to the other. */
type Range = { after: number; through: number };
export type ErasedRows = { matched: number; erased: number; first: number | null; last: number | null };

/**
 * Erases compartments of the events of a range that match: values, seed and salts are gone from the rows, and commitments take
 * their place (docs/verify.md). Whoever calls sees to it that nobody else erases events of the tenant meanwhile: the new
 * proof is made from the row as it was read.
 */
export async function eraseRange(
  sql: Sql,
  tenantId: string,
  { filter, erasing, range }: { filter: RowFilter; erasing: readonly Erasable[]; range: Range },
): Promise<ErasedRows> {
  const { bind, values } = parameters();
  const conditions = [
    `tenant_id = ${bind(tenantId, 'uuid')}`,
    `sequence_number > ${bind(String(range.after), 'bigint')}`,
    `sequence_number <= ${bind(String(range.through), 'bigint')}`,
    ...filterConditions(filter, bind),
  ].join(' and ');
  // Both halves see the rows as they were. No joins: of a log that was just written the planner takes a range for a single row.
  const [row] = await sql<Record<'matched' | 'erased' | 'first' | 'last', unknown>>(
    `with gone as (
       update events set seed = null, ${emptied(erasing)},
         erased = (select ${proofSql(erasing)} from (select ${saltsSql} as salts offset 0) as salted)::json
       where ${conditions} and ${isLeft(erasing)} returning 1
     )
     select count(*) as matched, (select count(*) from gone) as erased,
       min(sequence_number) as first, max(sequence_number) as last from events where ${conditions}`,
    values,
  );
  const { matched, erased, first, last } = row!;
  return {
    matched: Number(matched),
    erased: Number(erased),
    first: first === null ? null : Number(first),
    last: last === null ? null : Number(last),
  };
}

const erasedAlready = (name: string) => `(erased -> 'erased' ->> '${name}')`;

/** Whether something of these compartments is still there. */
const isLeft = (erasing: readonly Erasable[]): string =>
  `(erased is null or ${erasing.map((name) => `${erasedAlready(name)} is null`).join(' or ')})`;

/** The member `proof` after the erasure, as JSON text: salts of what is left, commitments of the rest, in their order. */
function proofSql(erasing: readonly Erasable[]): string {
  const isErased = (name: string) => (erasing as readonly string[]).includes(name);
  const salt = (name: string, index: number) =>
    `coalesce(erased -> 'salts' ->> '${name}', encode(substr(salts, ${1 + 16 * index}, 16), 'hex'))`;
  const member = (name: string, value: string) => `'"${name}":"' || ${value} || '"'`;
  const salts = compartments.flatMap((name, index) =>
    isErased(name) ? [] : [`case when ${erasedAlready(name)} is null then ${member(name, salt(name, index))} end`],
  );
  const commitments = compartments.map((name, index) =>
    isErased(name) ? member(name, `encode(${commitmentSql(index)}, 'hex')`) : member(name, erasedAlready(name)),
  );
  return `concat('{"salts":{', concat_ws(',', ${salts.join(', ')}), '},"erased":{', concat_ws(',', ${commitments.join(', ')}), '}}')`;
}

/** What stands in the columns of an erased compartment. */
const emptied = (erasing: readonly Erasable[]): string =>
  columnsOf(erasing)
    .map((column) => `${column.column} = ${emptyOf(column)}`)
    .join(', ');

/** Columns that an erasure of these compartments empties. */
export const erasedColumns = (erasing: readonly Erasable[]): string[] => columnsOf(erasing).map(({ column }) => column);

function columnsOf(erasing: readonly Erasable[]): readonly Value[] {
  const leaves = erasing.flatMap((name) => compartmentMembers[name] as readonly Leaf[] | Leaf);
  return [...leaves, ...(erasing.includes('context') ? contextCopies : [])];
}

function emptyOf({ nullable, shape }: Value): string {
  if (nullable) return 'null';
  return shape === 'context' ? `'{"ip":null,"user_agent":null}'` : `'{}'`;
}

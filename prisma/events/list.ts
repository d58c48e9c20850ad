import type { RowFilter } from '../../core/events/field-criteria.ts';
import type { Sort } from '../../core/exports/exports.ts';
import { pageBytes } from '../../core/limits/pages.ts';
import type { Sql } from '../client.ts';
import { type Bind, parameters, type SqlType } from '../sql/bind.ts';
import { wholeEventJson } from '../sql/event-json.ts';
import { filterConditions } from '../sql/filter.ts';
import { orderBy, type SortKey, sortKeys } from '../sql/sort.ts';

/** Newest first, ties by sequence number. */
export const newestFirst: Sort = [{ field: 'occurred_at', direction: 'desc' }];

/** An event as the JSON text that GET answers, and its place in the chain. */
export type ListedEvent = { sequenceNumber: number; json: string };

/** One of a page: null where the page is full, and this event begins the next. */
export type PagedEvent = { sequenceNumber: number; json: string | null };

export type EventQuery = {
  filter: RowFilter;
  /** At most one direction in all: its keys are compared as one row. */
  sort: Sort;
  limit: number;
  /** The sequence number of the event after which the page begins. */
  after?: number;
};

type Row = { sequence_number: unknown; json: string };

/**
 * One page of a tenant's events. It is a range of keys, never an OFFSET: events that arrive meanwhile move nothing, and
 * the last page costs what the first does.
 * @returns undefined when there is no event with the sequence number `after`
 */
export async function listEvents(sql: Sql, tenantId: string, query: EventQuery): Promise<PagedEvent[] | undefined> {
  const keys = sortKeys(query.sort);
  const position = query.after === undefined ? [] : await readPosition(sql, tenantId, keys, query.after);
  if (!position) return undefined;
  const { text, values } = listStatement(tenantId, query, position);
  const rows = await sql<{ sequence_number: unknown; json: string | null }>(text, values);
  return rows.map(({ sequence_number, json }) => ({ sequenceNumber: Number(sequence_number), json }));
}

/** The statement of a page; `position` are the sort keys of the event before it, as text. For tests to look at its plan. */
export function listStatement(
  tenantId: string,
  { filter, sort, limit }: EventQuery,
  position: readonly string[],
): { text: string; values: unknown[] } {
  const keys = sortKeys(sort);
  const { bind, values } = parameters();
  const conditions = [`tenant_id = ${bind(tenantId, 'uuid')}`, ...filterConditions(filter, bind)];
  if (position.length > 0) conditions.push(afterPosition(keys, position, bind));
  const page = `select sequence_number, ${wholeEventJson} as json from events
    where ${conditions.join(' and ')} order by ${orderBy(keys)} limit ${bind(String(limit), 'bigint')}`;
  // The whole page is held in memory, here and by who asks: beyond so many bytes an event is named and not printed. A window
  // without an order takes the rows as they come.
  const text = `select sequence_number, case when before < ${pageBytes} then json end as json from (
      select sequence_number, json,
        coalesce(sum(octet_length(json)) over (rows between unbounded preceding and 1 preceding), 0) as before
      from (${page}) as page
    ) as measured`;
  return { text, values };
}

/**
 * A row comparison with constants: with the index's columns it is a range of the index, which the same thing written with
 * OR is not.
 */
function afterPosition(keys: readonly SortKey[], position: readonly string[], bind: Bind): string {
  const sign = keys[0]!.direction === 'asc' ? '>' : '<';
  const bounds = keys.map((key, index) => bind(position[index]!, key.type as SqlType));
  return `(${keys.map((key) => key.expression).join(', ')}) ${sign} (${bounds.join(', ')})`;
}

/** The sort keys of one event as text, exact to the microsecond: a JavaScript Date would lose digits and rows. */
async function readPosition(
  sql: Sql,
  tenantId: string,
  keys: readonly SortKey[],
  sequenceNumber: number,
): Promise<string[] | undefined> {
  const columns = keys.map((key, index) => `(${key.expression})::text as key${index}`);
  const [row] = await sql<Record<string, string>>(
    `select ${columns.join(', ')} from events where tenant_id = $1::uuid and sequence_number = $2::bigint`,
    [tenantId, sequenceNumber],
  );
  return row && keys.map((_, index) => row[`key${index}`]!);
}

/** The event of this id, if the tenant has it. The id must be a UUID. */
export async function findEvent(sql: Sql, tenantId: string, id: string): Promise<ListedEvent | undefined> {
  return (await findEvents(sql, tenantId, [id])).get(id.toLowerCase());
}

/**
 * The tenant's events ($1) of these ids ($2). Behind a policy an id that was made of a column, as of the texts of a JSON array,
 * would be no condition of the index: such a cast is not leakproof.
 */
export const eventsByIds = `
  select id, sequence_number, ${wholeEventJson} as json from events where tenant_id = $1::uuid and id = any ($2::uuid[])`;

/** The tenant's events of these ids, by id. */
export async function findEvents(
  sql: Sql,
  tenantId: string,
  ids: readonly string[],
): Promise<Map<string, ListedEvent>> {
  const rows = await sql<Row & { id: string }>(eventsByIds, [tenantId, ids]);
  return new Map(rows.map((row) => [row.id, listed(row)]));
}

const listed = (row: Row): ListedEvent => ({ sequenceNumber: Number(row.sequence_number), json: row.json });

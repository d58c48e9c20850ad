import type { RowFilter } from '../../core/events/field-criteria.ts';
import type { Sort } from '../../core/exports/exports.ts';
import type { Sql } from '../client.ts';
import { type Bind, parameters } from '../sql/bind.ts';
import { wholeEventJson } from '../sql/event-json.ts';
import { filterConditions } from '../sql/filter.ts';
import { type SortKey, sortKeys } from '../sql/sort.ts';

/** Events of some tenants, sorted together; so many after so many. */
export type AcrossQuery = {
  tenantIds: readonly string[];
  filter: RowFilter;
  sort: Sort;
  offset: number;
  count: number;
};

/** Which event is meant: every one has its tenant and number. */
export type EventPlace = { tenantId: string; sequenceNumber: string };

/** One event as JSON text, and whose it is. */
export type TenantEvent = { tenantId: string; json: string };

/**
 * Where the events of a page are that is of several tenants. Each tenant gives its own first `offset + count`, along its index
 * where the sort has one; nothing is printed.
 */
export async function placesAcross(sql: Sql, query: AcrossQuery): Promise<EventPlace[]> {
  const { text, values } = placesStatement(query);
  const rows = await sql<{ tenant_id: string; sequence_number: unknown }>(text, values);
  return rows.map((row) => ({ tenantId: row.tenant_id, sequenceNumber: String(row.sequence_number) }));
}

/** The statement of it. For tests to look at its plan. */
export function placesStatement({ tenantIds, filter, sort, offset, count }: AcrossQuery) {
  const { bind, values } = parameters();
  const keys = sortKeys(sort);
  const named = keys.map((key, index) => ({ ...key, expression: `key${index}` }));
  const direction = named.at(-1)!.direction;
  const order = `${ordered(named)}, tenant_id ${direction}`;
  const text = `select firsts.tenant_id, firsts.sequence_number
    from unnest(${bind([...tenantIds], 'uuid[]')}) as wanted (id) cross join lateral (
      select tenant_id, sequence_number, ${keys.map((key, index) => `${key.expression} as key${index}`).join(', ')}
      from events where ${conditions('wanted.id', filter, bind)}
      order by ${ordered(keys)} limit ${bind(String(offset + count), 'bigint')}
    ) firsts order by ${order} offset ${bind(String(offset), 'bigint')} limit ${bind(String(count), 'bigint')}`;
  return { text, values };
}

/**
 * The first of these events, in their order, up to the one that reaches `mostBytes`; and how many places they had. One that is
 * not there any more has a place and no event.
 */
export async function eventsAt(
  sql: Sql,
  places: readonly EventPlace[],
  mostBytes: number,
): Promise<{ events: TenantEvent[]; places: number }> {
  const { bind, values } = parameters();
  const tenantIds = bind(
    places.map((each) => each.tenantId),
    'uuid[]',
  );
  const numbers = bind(
    places.map((each) => each.sequenceNumber),
    'bigint[]',
  );
  const rows = await sql<{ place: unknown; tenant_id: string; json: string | null }>(
    `select place, tenant_id, case when before < ${mostBytes} then json end as json from (
       select place, tenant_id, json, coalesce(sum(octet_length(json))
         over (order by place rows between unbounded preceding and 1 preceding), 0) as before
       from unnest(${tenantIds}, ${numbers}) with ordinality as wanted (owner, number, place) cross join lateral (
         select tenant_id, ${wholeEventJson} as json from events
         where tenant_id = wanted.owner and sequence_number = wanted.number
       ) as printed
     ) as measured order by place`,
    values,
  );
  const cut = rows.find(({ json }) => json === null);
  const events = rows.flatMap(({ tenant_id, json }) => (json === null ? [] : [{ tenantId: tenant_id, json }]));
  return { events, places: cut ? Number(cut.place) - 1 : places.length };
}

const ordered = (keys: readonly SortKey[]): string =>
  keys.map((key) => `${key.expression} ${key.direction}`).join(', ');

const conditions = (tenantId: string, filter: RowFilter, bind: Bind): string =>
  [`tenant_id = ${tenantId}`, ...filterConditions(filter, bind)].join(' and ');

/** How many events of these tenants match. Without any condition it is known from the ends of their chains. */
export async function countAcross(
  sql: Sql,
  { tenantIds, filter }: Pick<AcrossQuery, 'tenantIds' | 'filter'>,
): Promise<number> {
  const { bind, values } = parameters();
  const ids = bind([...tenantIds], 'uuid[]');
  const isAll = filterConditions(filter, parameters().bind).length === 0;
  const text = isAll
    ? `select sum(sequence_number - expired_through) as total from chain_heads where tenant_id = any(${ids})`
    : `select sum(matching) as total from unnest(${ids}) as wanted (id) cross join lateral (
         select count(*) as matching from events where ${conditions('wanted.id', filter, bind)}
       ) counted`;
  const [row] = await sql<{ total: unknown }>(text, values);
  return Number(row?.total ?? 0);
}

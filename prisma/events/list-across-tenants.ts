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

/** One event as JSON text, and whose it is. */
export type TenantEvent = { tenantId: string; json: string };

/**
 * A page of the events of several tenants. Each tenant gives its own first `offset + count`, along its index where the sort
 * has one; what is skipped is never printed.
 */
export async function listAcross(sql: Sql, query: AcrossQuery): Promise<TenantEvent[]> {
  const { text, values } = acrossStatement(query);
  const rows = await sql<{ tenant_id: string; json: string }>(text, values);
  return rows.map(({ tenant_id, json }) => ({ tenantId: tenant_id, json }));
}

/** The statement of it. For tests to look at its plan. */
export function acrossStatement({ tenantIds, filter, sort, offset, count }: AcrossQuery) {
  const { bind, values } = parameters();
  const keys = sortKeys(sort);
  const named = keys.map((key, index) => ({ ...key, expression: `key${index}` }));
  const direction = named.at(-1)!.direction;
  const order = `${ordered(named)}, tenant_id ${direction}`;
  const text = `with page as (
      select firsts.* from unnest(${bind([...tenantIds], 'uuid[]')}) as wanted (id) cross join lateral (
        select tenant_id, sequence_number, ${keys.map((key, index) => `${key.expression} as key${index}`).join(', ')}
        from events where ${conditions('wanted.id', filter, bind)}
        order by ${ordered(keys)} limit ${bind(String(offset + count), 'bigint')}
      ) firsts order by ${order} offset ${bind(String(offset), 'bigint')} limit ${bind(String(count), 'bigint')}
    )
    select page.tenant_id, printed.json from page cross join lateral (
      select ${wholeEventJson} as json from events
      where tenant_id = page.tenant_id and sequence_number = page.sequence_number
    ) printed order by ${order}`;
  return { text, values };
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
    ? `select sum(sequence_number) as total from chain_heads where tenant_id = any(${ids})`
    : `select sum(matching) as total from unnest(${ids}) as wanted (id) cross join lateral (
         select count(*) as matching from events where ${conditions('wanted.id', filter, bind)}
       ) counted`;
  const [row] = await sql<{ total: unknown }>(text, values);
  return Number(row?.total ?? 0);
}

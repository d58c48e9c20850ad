import type { Sql } from '../client.ts';

/** Events of one tenant since the two moments (ms since 1970): all of today, and the severe ones of the week. */
export async function countRecent(
  sql: Sql,
  tenantId: string,
  { today, week }: { today: number; week: number },
): Promise<{ totalToday: number; severeThisWeek: number }> {
  const [row] = await sql<{ today: unknown; week: unknown }>(
    `select
       (select count(*) from events where tenant_id = $1::uuid and occurred_at >= to_timestamp($2 / 1000.0)) as today,
       (select count(*) from events where tenant_id = $1::uuid and occurred_at >= to_timestamp($3 / 1000.0)
          and severity >= 'High') as week`,
    [tenantId, today, week],
  );
  return { totalToday: Number(row!.today), severeThisWeek: Number(row!.week) };
}

/** A span of time (ms since 1970; the end is not part of it), cut into steps of so many milliseconds. */
export type Span = { from: number; to: number; step: number; limit: number };
export type Figures = {
  resources: { name: string; count: number }[];
  tenants: { id: string; count: number }[];
  steps: { from: number; count: number }[];
};

/** How many events these tenants have in the span: by resource and by tenant, the `limit` most, and by step. */
export async function countFigures(sql: Sql, tenantIds: readonly string[], span: Span): Promise<Figures> {
  const [row] = await sql<{ figures: Figures }>(
    `with counted as (
       select tenant_id, target_type, floor((extract(epoch from occurred_at) * 1000 - $2::bigint) / $4::bigint)::bigint as step,
         count(*) as count
       from unnest($1::uuid[]) as wanted (id) join events on tenant_id = wanted.id
         and occurred_at >= to_timestamp($2::bigint / 1000.0) and occurred_at < to_timestamp($3::bigint / 1000.0)
       group by 1, 2, 3
     ), resources as (
       select target_type as name, sum(count)::bigint as count from counted where target_type is not null
       group by 1 order by 2 desc, target_type collate "C" limit $5::bigint
     ), tenants as (
       select tenant_id as id, sum(count)::bigint as count from counted group by 1 order by 2 desc, 1 limit $5::bigint
     ), steps as (
       select $2::bigint + step * $4::bigint as "from", sum(count)::bigint as count from counted group by 1 order by 1
     )
     select json_build_object(
       'resources', coalesce((select json_agg(resources) from resources), '[]'),
       'tenants', coalesce((select json_agg(tenants) from tenants), '[]'),
       'steps', coalesce((select json_agg(steps) from steps), '[]')) as figures`,
    [tenantIds, span.from, span.to, span.step, span.limit],
  );
  return row!.figures;
}

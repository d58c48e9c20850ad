import type pg from 'pg';

/** What a column is generated from is left out: schema.prisma has no words for it. */
const columns = `
  select format('column %s.%s %s%s%s', t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    case when a.attnotnull then ' not null' end,
    ' default ' || regexp_replace(regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::[a-z_ ]+(\\[\\])?$', ''), '^''(.*)''$', '\\1'))
  from pg_class t
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum and a.attgenerated = ''
  where t.relkind in ('r', 'p') and t.relnamespace = 'public'::regnamespace and t.relname <> '_prisma_migrations'`;

/** Indexes on expressions or parts of a table are left out: schema.prisma has no words for them. */
const indexes = `
  select format('%s %s on %s using %s (%s)',
    case when i.indisprimary then 'primary key' when i.indisunique then 'unique index' else 'index' end,
    x.relname, t.relname, m.amname,
    (select string_agg(a.attname || case when i.indoption[k.n - 1] & 1 = 1 then ' desc' else '' end, ', ' order by k.n)
     from unnest(i.indkey) with ordinality k (attnum, n) join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
     where k.n <= i.indnkeyatts))
  from pg_index i
  join pg_class x on x.oid = i.indexrelid
  join pg_am m on m.oid = x.relam
  join pg_class t on t.oid = i.indrelid
  where t.relnamespace = 'public'::regnamespace and t.relname <> '_prisma_migrations'
    and i.indpred is null and i.indexprs is null`;

const foreignKeys = `
  select format('foreign key %s on %s (%s) to %s (%s) on delete %s on update %s', c.conname, c.conrelid::regclass,
    (select string_agg(a.attname, ', ' order by k.n) from unnest(c.conkey) with ordinality k (attnum, n)
     join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum),
    c.confrelid::regclass,
    (select string_agg(a.attname, ', ' order by k.n) from unnest(c.confkey) with ordinality k (attnum, n)
     join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum),
    '{"a": "NoAction", "r": "Restrict", "c": "Cascade", "n": "SetNull", "d": "SetDefault"}'::json ->> c.confdeltype::text,
    '{"a": "NoAction", "r": "Restrict", "c": "Cascade", "n": "SetNull", "d": "SetDefault"}'::json ->> c.confupdtype::text)
  from pg_constraint c where c.contype = 'f' and c.connamespace = 'public'::regnamespace`;

const enums = `
  select format('enum %s: %s', t.typname, string_agg(e.enumlabel, ', ' order by e.enumsortorder))
  from pg_type t join pg_enum e on e.enumtypid = t.oid where t.typnamespace = 'public'::regnamespace group by t.typname`;

/** What a database holds in its schema `public`: one line for each column, index, foreign key and enum. */
export async function describeDatabase(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ format: string }>([columns, indexes, foreignKeys, enums].join(' union all '));
  return rows.map((row) => row.format).sort();
}

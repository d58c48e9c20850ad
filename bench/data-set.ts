import pg from 'pg';

/** A log to be filled: whose, and how many events. */
export type LogPlan = { tenantId: string; rows: number };

const batchRows = 200_000;

/**
 * Fills the table with events that PostgreSQL makes up itself, the same ones in every run: one log among as many rows of
 * the others, row by row, as many tenants write at the same time; and the large log. Their hashes form no
 * chain, which exports do not ask for. Ends with what a database that has been up for a while has behind it: statistics,
 * visibility map, a checkpoint.
 */
export async function fillEvents(
  databaseUrl: string,
  { main, others, large }: { main: LogPlan; others: string[]; large: LogPlan },
  signal: AbortSignal,
): Promise<void> {
  const run = (work: (client: pg.Client) => Promise<void>) => connected(databaseUrl, work);
  await run(async (client) => void (await client.query(dropIndexes)));
  const inBatches = (plan: LogPlan, statement: string, values: unknown[]) =>
    run(async (client) => {
      for (let from = 0; from < plan.rows; from += batchRows) {
        signal.throwIfAborted();
        await client.query(statement, [from + 1, Math.min(plan.rows, from + batchRows), plan.tenantId, ...values]);
      }
    });
  await Promise.all([inBatches(main, insertAmongOthers, [others]), inBatches(large, insertAlone, [])]);
  await run(async (client) => {
    for (const statement of [makeIndexes, moveHeads, 'vacuum (analyze) events', 'checkpoint']) {
      signal.throwIfAborted();
      await client.query(statement);
    }
  });
}

/** Does `work` on a connection of its own. */
export async function connected<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString, options: '-c TimeZone=UTC' });
  // An interrupted run ends the server under it: `work` fails of itself, and an error unheard would end the run as it is.
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * An index that is made at the end takes a third of the time. All three are as the migrations have them. What the logs begin
 * with, as their tenants and keys were made, would have the numbers of these events.
 */
const dropIndexes = `
  truncate events;
  alter table events drop constraint events_pkey;
  drop index events_tenant_id_id_key;
  drop index events_by_time`;

const makeIndexes = `
  set maintenance_work_mem = '512MB';
  alter table events add primary key (tenant_id, sequence_number);
  create unique index events_tenant_id_id_key on events (tenant_id, id);
  create index events_by_time on events (tenant_id, occurred_at, sequence_number)`;

const moveHeads = `
  update chain_heads set sequence_number = last.sequence_number, hash = last.hash
  from (select distinct on (tenant_id) tenant_id, sequence_number, hash from events
        order by tenant_id, sequence_number desc) as last
  where chain_heads.tenant_id = last.tenant_id`;

const columns = `tenant_id, sequence_number, id, occurred_at, received_at, severity, action, actor_id, actor_type,
  actor_name, actor_email, target_type, target_id, context_ip, context_user_agent, context, description, metadata,
  previous_hash, hash, seed`;

/** The events of "source", which gives tenant_id and n. About 500 bytes of CSV each, 130 of them the two hashes. */
const eventsOf = (source: string): string => `
  insert into events (${columns})
  select tenant_id, n,
    (lpad(to_hex(1735689600000 + n * 900), 12, '0') || '7' || substr(noise, 14, 3) || '8' || substr(noise, 18, 15))::uuid,
    at, at + interval '41 milliseconds',
    (enum_range(null::severity))[1 + (n * 7 + n / 11) % 5],
    (array['user.login', 'document.viewed', 'document.updated', 'user.role.changed', 'api_key.created', 'payment.failed'])[1 + n % 6],
    'usr_' || 1000 + n % 997, 'user', 'Person ' || n % 997, 'user' || n % 997 || '@example.com',
    'document', 'doc_' || n % 4999, ip, agent,
    ('{"ip":"' || ip || '","user_agent":"' || agent || '"}')::json,
    'Opened "Report ' || n % 900 || ', final", then saved section ' || n % 40,
    ('{"mfa":' || (n % 3 > 0) || ',"plan":"team","region":"eu-central","request":{"duration_ms":' || n % 900
      || ',"id":"' || substr(noise, 1, 16) || '","method":"POST","path":"/v2/documents/' || n % 4999
      || '","status":200},"session":"' || substr(noise, 17, 16) || '","tags":["web","release-' || n % 30 || '"]}')::json,
    sha256(int8send(n - 1)), sha256(int8send(n)), substr(sha256(int8send(n)), 1, 16)
  from (${source}) as source
  cross join lateral (select md5(tenant_id::text || n) as noise, '198.51.100.' || n % 256 as ip,
    (array['curl/8.11.0', 'python-requests/2.32.3', 'Mozilla/5.0 (X11; rv:133.0) Firefox/133.0'])[1 + n % 3] as agent,
    timestamptz '2025-01-01T00:00:00Z' + n * interval '900.123 milliseconds' as at) as made`;

/** From $1 to $2; $3 is the tenant, $4 the others, who take turns between its events. */
const insertAmongOthers = eventsOf(`
  select case who when 0 then $3::uuid else ($4::uuid[])[1 + (i - 1) % cardinality($4::uuid[])] end as tenant_id,
    case who when 0 then i else 1 + (i - 1) / cardinality($4::uuid[]) end as n
  from generate_series($1::bigint, $2::bigint) as i cross join generate_series(0, 1) as who`);

const insertAlone = eventsOf('select $3::uuid as tenant_id, i as n from generate_series($1::bigint, $2::bigint) as i');

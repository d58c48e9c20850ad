import { readNewEvent } from '../core/events/new-event.ts';
import { type Database, inTransaction } from '../prisma/client.ts';
import { appendEvents } from '../prisma/events/append.ts';

/** Appends events as they would be posted, and says what is stored under which number. */
export async function addEvents(database: Database, tenantId: string, inputs: readonly unknown[]): Promise<void> {
  const events = inputs.map((input, index) => {
    const read = readNewEvent(input, String(index));
    if ('errors' in read) throw new Error(JSON.stringify(read.errors));
    return read.event;
  });
  for (let at = 0; at < events.length; at += 5000) {
    await inTransaction(database.pool, (sql) => appendEvents(sql, tenantId, events.slice(at, at + 5000)));
  }
}

/**
 * `count` events that PostgreSQL makes up itself, a second apart, each with about `noiseBytes` of text that cannot be
 * compressed. Their hashes form no chain, which exports do not ask for.
 */
export async function addManyEvents(
  database: Database,
  tenantId: string,
  { count, noiseBytes = 64, receivedAt }: { count: number; noiseBytes?: number; receivedAt?: string },
): Promise<void> {
  const hashes = `generate_series(1, ${Math.ceil(noiseBytes / 128)}) i`;
  const noise = `(select string_agg(encode(sha512(convert_to(n || '/' || i, 'UTF8')), 'hex'), '') from ${hashes})`;
  await inTransaction(database.pool, async (sql) => {
    await sql('set local statement_timeout = 0');
    await sql(
      `insert into events (tenant_id, sequence_number, id, occurred_at, received_at, severity, action, actor_id, actor_type,
         actor_name, actor_email, target_type, target_id, context_ip, context_user_agent, context, description, metadata,
         previous_hash, hash, seed)
       select $1, n, gen_random_uuid(), timestamptz '2025-01-01T00:00:00Z' + n * interval '1 second', coalesce($3::timestamptz, now()),
         (enum_range(null::severity))[1 + n % 5], (array['user.login', 'user.logout', 'file.read', 'role.change'])[1 + n % 4],
         'user-' || n % 997, 'user', 'Name, "' || n % 997 || '"', 'user' || n % 997 || '@example.com', 'file', 'file-' || n,
         '198.51.100.' || n % 256, 'agent/1.0', ('{"ip":"198.51.100.' || n % 256 || '","user_agent":"agent/1.0"}')::json,
         ${noise}, ('{"n":' || n || ',"region":"eu"}')::json, sha256(int8send(n - 1)), sha256(int8send(n)), substr(sha256(int8send(n)), 1, 16)
       from generate_series(1, $2::bigint) n`,
      [tenantId, count, receivedAt ?? null],
    );
    await sql('update chain_heads set sequence_number = $2, hash = sha256(int8send($2)) where tenant_id = $1', [
      tenantId,
      count,
    ]);
  });
  await database.pool.query('analyze events');
}

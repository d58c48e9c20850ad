import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { ingestBatches } from '../ingest-batches.ts';
import { contend } from './contend.ts';

type Job = { databaseUrl: string; clients: number; forMs: number };

/**
 * What PostgreSQL itself takes: the same events in the same batches into the same table, each batch one statement that
 * reads JSON, but without chain, checks of what is in them, or HTTP.
 */
const insert = `
  insert into events (tenant_id, sequence_number, id, occurred_at, received_at, severity, action, actor_id, actor_type,
    actor_name, actor_email, target_type, target_id, context_ip, context_user_agent, context, description, metadata,
    previous_hash, hash, seed)
  select $1, $2 + row_number() over (), gen_random_uuid(), occurred_at, now(), severity, action, actor->>'id',
    actor->>'type', actor->>'name', actor->>'email', target->>'type', target->>'id', context->>'ip',
    context->>'user_agent', context, description, metadata, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'),
    decode(repeat('00', 16), 'hex')
  from json_to_recordset($3) as event (occurred_at timestamptz, severity severity, action text, actor json, target json,
    context json, description text, metadata json)`;

await contend<Job>(async ({ databaseUrl, clients, forMs }) => {
  const batches = ingestBatches.map((events) => `[${events.join(',')}]`);
  let events = 0;
  const connections = await Promise.all(Array.from({ length: clients }, () => connect(databaseUrl)));
  const started = performance.now();
  await Promise.all(
    connections.map(async (connection, client) => {
      const tenantId = randomUUID();
      let stored = 0;
      for (let turn = client; performance.now() - started < forMs; turn++) {
        await connection.query(insert, [tenantId, stored, batches[turn % batches.length]!]);
        stored += ingestBatches[0]!.length;
      }
      events += stored;
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(connections.map((connection) => connection.end()));
  return { eventsPerSecond: events / seconds };
});

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, options: '-c TimeZone=UTC' });
  await client.connect();
  return client;
}

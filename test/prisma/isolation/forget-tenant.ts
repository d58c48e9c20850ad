import type pg from 'pg';

type Connection = { query(text: string): void; parse(query: { text: string }, more?: boolean): void };

/** What restricts a statement that reads events or chain heads to a tenant. */
const restriction = /\btenant_id = (?:any\((\$\d+::uuid\[\])\)|((?:\$\d+|'[^']*')::uuid|\w+\.(?:id|owner|tenant_id)))/g;
const isOfEvents = /\bfrom (?:events|chain_heads)\b|\bjoin events\b/;

/** What was forgotten. The value stays, so that the server still knows its type. */
export const forgetting = (text: string): string =>
  isOfEvents.test(text) ? text.replaceAll(restriction, 'tenant_id is not null and $1$2 is not null') : text;

/**
 * From now on this pool's statements that read events have forgotten whose they ask for: what a mistake in any of them could
 * do. They are changed on their way to the server, so COPY and what Prisma sends are among them.
 * @returns how many were changed
 */
export function forgetTenant(pool: pg.Pool): () => number {
  let changed = 0;
  const mutate = (text: string): string => {
    const mutated = forgetting(text);
    if (mutated !== text) changed++;
    return mutated;
  };
  pool.on('connect', (client) => {
    const { connection } = client as unknown as { connection: Connection };
    const { query, parse } = connection;
    connection.query = (text) => query.call(connection, mutate(text));
    connection.parse = (asked, more) => parse.call(connection, { ...asked, text: mutate(asked.text) }, more);
  });
  return () => changed;
}

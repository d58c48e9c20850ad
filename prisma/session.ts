import pg from 'pg';

/** Names and values of settings (`SHOW ALL`). */
export type Settings = Readonly<Record<string, string>>;

/**
 * What every session runs with, whatever the server, the database or the role has set: @prisma/adapter-pg relabels times
 * instead of converting them, and our SQL writes times and intervals as text.
 */
const always: Settings = { TimeZone: 'UTC', DateStyle: 'ISO', IntervalStyle: 'postgres', client_encoding: 'UTF8' };

export type SessionSettings = {
  /** Settings besides those of every session. */
  fixed?: Settings;
  /** Settings that give way to those that the URL names in `options`. */
  defaults?: Settings;
};

/** A pooler stands between that does not keep sessions apart. The message is for the user. */
export class SessionError extends Error {
  override name = 'SessionError';
  readonly remedy = 'Connect past the pooler, or set it to pool sessions (PgBouncer: pool_mode = session).';
  readonly what: string;
  constructor(what: string) {
    super(what);
    this.what = what;
    this.message = `${what}. ${this.remedy}`;
  }
}

/**
 * Makes what prepares a new session, for `onConnect` of a pool. Statements set what is needed, not startup options: poolers
 * refuse those, or drop them in silence. All of it is read back, by a statement of its own.
 */
export function sessionOf(url: string, { fixed = {}, defaults = {} }: SessionSettings = {}) {
  const given = namesIn(optionsOf(url));
  const free = Object.entries(defaults).filter(([name]) => !given.has(name.toLowerCase()));
  const settings = { ...Object.fromEntries(free), ...always, ...fixed };
  return (client: pg.ClientBase): Promise<void> => prepareSession(client, settings);
}

/** Connects one client whose session runs with these settings. The caller ends it. @throws SessionError, or what `pg` throws */
export async function connectClient(
  url: string,
  { settings, ...options }: pg.ClientConfig & { settings?: SessionSettings },
): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...options });
  // A connection that breaks fails the statement under way; unheard, this event would end the process instead.
  client.on('error', () => {});
  await client.connect();
  try {
    await sessionOf(url, settings)(client);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

/** @throws SessionError when a setting is not kept */
async function prepareSession(client: pg.ClientBase, settings: Settings): Promise<void> {
  const names = Object.keys(settings);
  await client.query(
    `select ${names.map((_, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, false)`)}`,
    names.flatMap((name) => [name, settings[name]]),
  );
  const { rows } = await client.query<{ values: string[] }>(
    'select array_agg(current_setting(name) order by position) as values from unnest($1::text[]) with ordinality as asked (name, position)',
    [names],
  );
  const lost = names.filter((name, i) => !isKept(name, settings[name]!, rows[0]!.values[i]!));
  if (lost.length === 0) return;
  throw new SessionError(`Sessions of the database lose their settings (${lost.join(', ')})`);
}

/** PostgreSQL writes times in units that suit them, and DateStyle with the order of day and month. */
const isKept = (name: string, asked: string, found: string): boolean =>
  /_timeout$/.test(name) || found === asked || (name === 'DateStyle' && found.startsWith(`${asked},`));

const optionsOf = (url: string): string => new URLSearchParams(url.split('?', 2)[1]).getAll('options').join(' ');

/** The settings that startup options name: `-c name=value`, `-cname=value` or `--name=value`. */
const namesIn = (options: string): Set<string> =>
  new Set(
    [...options.matchAll(/(?:^|\s)(?:-c\s*|--)([\w.-]+)=/g)].map(([, name]) =>
      name!.replaceAll('-', '_').toLowerCase(),
    ),
  );

/**
 * Finds out whether each transaction may run in another session, as behind a pooler of transactions: streams of events gather
 * in temporary tables, waiting jobs are told of by LISTEN, and settings are those of a session.
 * @param connect gives a connection, and takes it back; two are asked for at a time
 * @throws SessionError if so
 */
export async function refuseTransactionPooling(connect: () => Promise<Connection>): Promise<void> {
  const first = await connect();
  try {
    const second = await connect();
    try {
      if (await sharesSessions(first.client, second.client)) {
        throw new SessionError('The database is behind a pooler that pools transactions, and Logferry needs sessions');
      }
    } finally {
      second.release();
    }
  } finally {
    first.release();
  }
}

export type Connection = { client: pg.ClientBase; release(): unknown };

const pooledConnection = async (pool: pg.Pool): Promise<Connection> => {
  const client = await pool.connect();
  return { client, release: () => client.release() };
};

/** As refuseTransactionPooling(), of a pool. */
export const refuseTransactionPool = (pool: pg.Pool): Promise<void> =>
  refuseTransactionPooling(() => pooledConnection(pool));

/** Others may take the session in between, so one look is not enough. */
const looks = 3;

async function sharesSessions(first: pg.ClientBase, second: pg.ClientBase): Promise<boolean> {
  for (let look = 0; look < looks; look++) {
    const before = await sessionId(first);
    if (!(await begins(second))) return true;
    const other = await sessionId(second).finally(() => second.query('rollback'));
    if (other === before || (await sessionId(first)) !== before) return true;
  }
  return false;
}

/** A pooler that pools statements refuses transactions, by the code 08P01. */
const begins = (client: pg.ClientBase): Promise<boolean> =>
  client.query('begin').then(
    () => true,
    (error) => {
      if (error.code === '08P01') return false;
      throw error;
    },
  );

const sessionId = async (client: pg.ClientBase): Promise<number> =>
  (await client.query<{ id: number }>('select pg_backend_pid() as id')).rows[0]!.id;

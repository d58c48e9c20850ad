import { finished } from 'node:stream/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { within } from '../core/async/within.ts';
import { mostConnections } from './connections.ts';
import { scanSocket } from './copy/scan-socket.ts';
import { PrismaClient } from './generated/client.ts';
import { becomeReader } from './isolation/role-states.ts';
import { sessionOf } from './session.ts';

export type Prisma = PrismaClient;
/** What an interactive transaction hands out: every model, no `$transaction`. */
export type PrismaTransaction = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0];

/** The database as one process uses it. */
export type Database = {
  prisma: PrismaClient;
  /** For single statements and short transactions in plain SQL. */
  pool: pg.Pool;
  /** For what runs of exports say of themselves: no crowd of requests may cost a run its lease. */
  runs: pg.Pool;
  /**
   * For COPY and long scans, apart from the rest: exports that fill it keep no request waiting. Its sessions see no events
   * but those of the tenant that a transaction has set (isolation/as-tenant.ts).
   */
  scans: pg.Pool;
  /** Ends the connections, within seconds also if the server does not answer any more. */
  close(): Promise<void>;
};

/** Milliseconds for connections to end: one that waits for an answer from a server that is away would keep its pool. */
const endLimitMs = 1_000;

/**
 * Milliseconds for a transaction of Prisma's: to get a connection, and to end. Its own two and five seconds are too few for
 * a database under load, where giving up costs more than waiting.
 */
const transactionOptions = { maxWait: 10_000, timeout: 30_000 };

/** Milliseconds after which a connection that nobody uses is closed: a new one costs a busy database half a second. */
const idleLimitMs = 300_000;

/** Seconds. A connection that was made before `migrate` had made its role is replaced by then. */
const longestScanLifeSeconds = 600;

/**
 * Milliseconds. A list whose filter finds nothing must not scan a log for ever, and whoever waits for a tenant's chain
 * holds a connection; both give up before clients do. Streams of events, which may take longer, set their own limits.
 * A process that stands still, or whose machine is gone without a word, must not keep its locks until TCP gives it up,
 * after two hours: whoever waits for them still gets them.
 */
const limitsMs = { statement: 30_000, lock: 25_000, idleInTransaction: 20_000 };

/**
 * Opens the pools; nothing connects before the first query.
 *
 * Every session runs in UTC (session.ts). The limits above are those of a session whose URL sets no others
 * (`?options=-c …`).
 */
export function openDatabase(url: string, { scanConnections = 8 } = {}): Database {
  const limits = {
    statement_timeout: `${limitsMs.statement}ms`,
    lock_timeout: `${limitsMs.lock}ms`,
    idle_in_transaction_session_timeout: `${limitsMs.idleInTransaction}ms`,
  };
  const session = {
    connectionString: url,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: idleLimitMs,
  };
  const limited = { ...session, onConnect: sessionOf(url, { defaults: limits }) };
  const beginScan = sessionOf(url, { defaults: { jit: 'off', max_parallel_workers_per_gather: '0' } });
  const pool = new pg.Pool({ ...limited, max: mostConnections.requests, application_name: 'logferry' });
  const runs = new pg.Pool({ ...limited, max: mostConnections.runs, application_name: 'logferry-runs' });
  // Segments are read in parallel already, and are too short for JIT to pay.
  const scans = new pg.Pool({
    ...session,
    max: scanConnections,
    stream: scanSocket,
    application_name: 'logferry-export',
    maxLifetimeSeconds: longestScanLifeSeconds,
    onConnect: async (client) => {
      await beginScan(client);
      await endWithReader(client);
      await becomeReader(client);
    },
  });
  for (const each of [pool, runs, scans]) surviveLostConnections(each);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions });
  return {
    prisma,
    pool,
    runs,
    scans,
    async close() {
      const ended = prisma.$disconnect().then(() => Promise.all([pool, runs, scans].map((each) => each.end())));
      await within(endLimitMs, 'the end of the connections', ended).catch(() => {});
    },
  };
}

/**
 * Without this a statement that prints nothing for a while, such as a long sort, goes on after its reader has gone. Servers
 * on Windows cannot do it.
 */
async function endWithReader(client: pg.ClientBase): Promise<void> {
  await client.query(`set client_connection_check_interval = '1s'`).catch(() => {});
}

/**
 * A connection that breaks (a restarted server) is replaced by the pool, and whoever uses it hears of it from its query;
 * unheard, its error would end the process: the pool's for an idle one, the client's own for one that is in use.
 */
function surviveLostConnections(pool: pg.Pool): pg.Pool {
  return pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}));
}

/**
 * The pool of the queue's PostgreSQL backend: its tables are in a schema of their own, and each worker keeps one
 * connection to listen on. All its statements are short, so one without an answer for long is on a dead connection.
 */
export const openQueuePool = (url: string): pg.Pool =>
  surviveLostConnections(
    new pg.Pool({
      connectionString: url,
      onConnect: sessionOf(url, { fixed: { search_path: 'bullmq' } }),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      query_timeout: 20_000,
      connectionTimeoutMillis: 10_000,
      max: mostConnections.queue,
      application_name: 'logferry-queue',
    }),
  );

/** Runs one statement: inside a transaction of `pg` or of Prisma alike. */
export type Sql = {
  <Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Runs a `COPY … FROM STDIN` of these bytes. Only where there is a connection of `pg` to run it on. */
  copyIn?(statement: string, bytes: Buffer): Promise<void>;
};

export const pgSql =
  (client: pg.Pool | pg.PoolClient): Sql =>
  async <Row extends object>(text: string, values: unknown[] = []) =>
    (await client.query(text, values)).rows as Row[];

const connectionSql = (client: pg.PoolClient): Sql =>
  Object.assign(pgSql(client), {
    copyIn: async (statement: string, bytes: Buffer) => {
      const copy = client.query(copyFrom(statement));
      copy.end(bytes);
      await finished(copy);
    },
  });

export const prismaSql =
  (transaction: PrismaTransaction): Sql =>
  <Row extends object>(text: string, values: unknown[] = []) =>
    transaction.$queryRawUnsafe<Row[]>(text, ...values);

/**
 * Runs `work` in one transaction of `pg`; an error rolls back and comes through.
 * @param beginning gives the statements that it begins with
 */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (sql: Sql) => Promise<T>,
  beginning: (client: pg.PoolClient) => Promise<string> = async () => 'begin',
): Promise<T> {
  const client = await pool.connect();
  let broken: unknown;
  try {
    await client.query(await beginning(client));
    const result = await work(connectionSql(client));
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure) => {
      broken = failure;
    });
    throw error;
  } finally {
    // A connection that could not roll back is in no known state: the pool throws it away.
    client.release(broken !== undefined);
  }
}

/** What time it is for all processes: their own clocks may be wrong, each in its way. */
export async function databaseTime(client: PrismaTransaction): Promise<Date> {
  const [row] = await client.$queryRaw<{ now: Date }[]>`select clock_timestamp() as now`;
  return row!.now;
}

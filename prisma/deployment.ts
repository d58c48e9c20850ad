import { type Config, ConfigError } from '../core/config.ts';
import { type Log, makeLog } from '../core/log.ts';
import { type Metrics, makeMetrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import type { SecretKey } from '../core/secret-key.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import { openStore } from '../core/storage/open-store.ts';
import { type Database, openDatabase } from './client.ts';
import { scanConnections } from './connections.ts';
import { type LogsCheck, logsCheck } from './log/contradictions.ts';
import { meterDatabase } from './metrics.ts';
import { openQueue } from './open-queue.ts';
import { type SchemaCheck, schemaCheck } from './schema-check.ts';
import { agreeOnSecretKey } from './secret-key/agree.ts';
import { configuredKey } from './secret-key/configured-key.ts';
import { refuseTransactionPool, SessionError } from './session.ts';

/** What every process of one installation shares: the database, the queue, the storage and the secret key. */
export type Deployment = {
  config: Config;
  database: Database;
  queue: Queue;
  store: ObjectStore;
  secretKey: SecretKey;
  log: Log;
  metrics: Metrics;
  schema: SchemaCheck;
  logs: LogsCheck;
  close(): Promise<void>;
};

/**
 * Opens all of it, as the configuration says.
 * @throws ConfigError when something is missing, the database cannot be used, or the secret key is not the one it was used with
 */
export async function openDeployment(
  config: Config,
  databaseUrl: string | undefined = config.DATABASE_URL,
): Promise<Deployment> {
  if (!databaseUrl) {
    throw new ConfigError([
      'DATABASE_URL is not set. Set it to a PostgreSQL 15 or newer, or use "npm start", which brings its own.',
    ]);
  }
  const log = makeLog(config.LOGFERRY_LOG_LEVEL);
  for (const warning of config.warnings) log.warn(warning);
  const configured = await configuredKey(config);
  const store = openStore(config, configured.linkKeys);
  const queue = openQueue(config.QUEUE_URL ?? databaseUrl, log);
  const database = openDatabase(databaseUrl, { scanConnections: scanConnections(config) });
  const close = async () => {
    await Promise.all([queue.close(), database.close(), store.close()]);
  };
  let key: SecretKey;
  try {
    await refuseTransactionPool(database.pool).catch(explainDatabaseError);
    await database.pool.query('select from settings limit 1').catch(explainDatabaseError);
    await refuseHiddenRows(database);
    key = await agreeOnSecretKey({ prisma: database.prisma, log }, configured);
  } catch (error) {
    await close();
    throw error;
  }
  const metrics = makeMetrics();
  metrics.addProcessFigures();
  meterDatabase(metrics, { database, log });
  if (config.LOGFERRY_STORE_LIMIT === undefined) metrics.unset('logferry_store_limit_bytes');
  else metrics.set('logferry_store_limit_bytes', config.LOGFERRY_STORE_LIMIT);
  return {
    config,
    database,
    queue,
    store,
    secretKey: key,
    log,
    metrics,
    schema: schemaCheck(database.pool, log),
    logs: logsCheck(database.pool),
    close,
  };
}

/** What keeps a process from its database is nearly always a setting, and the stack of the driver's error tells nothing of it. */
function explainDatabaseError(error: Error & { code?: string }): never {
  if (error instanceof SessionError) throw new ConfigError([error.message]);
  if (error.code === undefined) throw error;
  if (error.code === '42P01') throw new ConfigError(['The database has no tables yet. Run "npm run migrate" first.']);
  throw new ConfigError([`The database of DATABASE_URL cannot be used: ${error.message || error.code}`]);
}

/** A role that does not own the tables would find them empty, and say so of every log. */
async function refuseHiddenRows({ pool }: Database): Promise<void> {
  const { rows } = await pool.query<{ hidden: boolean }>(`select row_security_active(to_regclass('events')) as hidden`);
  if (!rows[0]!.hidden) return;
  throw new ConfigError([
    'Row-level security hides all rows from the role of DATABASE_URL, which does not own the tables. Name the role that ran ' +
      '"npm run migrate" there, or make this role a member of it (grant … to …).',
  ]);
}

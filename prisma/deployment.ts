import { type Config, ConfigError } from '../core/config.ts';
import { type Log, makeLog } from '../core/log.ts';
import { type Metrics, makeMetrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import { readSecret, type SecretKey, secretKey, secretKeyFile } from '../core/secret-key.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import { openStore } from '../core/storage/open-store.ts';
import { type Database, openDatabase, type Prisma } from './client.ts';
import { scanConnections } from './connections.ts';
import { fingerprintName } from './fingerprint-setting.ts';
import { type LogsCheck, logsCheck } from './log/contradictions.ts';
import { meterDatabase } from './metrics.ts';
import { openQueue } from './open-queue.ts';
import { type SchemaCheck, schemaCheck } from './schema-check.ts';
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
  const key = secretKey(config.LOGFERRY_SECRET_KEY ?? (await storedSecretKey(config)));
  const store = openStore(config, key.linkKey);
  const queue = openQueue(config.QUEUE_URL ?? databaseUrl, log);
  const database = openDatabase(databaseUrl, { scanConnections: scanConnections(config) });
  const close = async () => {
    await Promise.all([queue.close(), database.close(), store.close()]);
  };
  try {
    await refuseTransactionPool(database.pool).catch(explainDatabaseError);
    await database.pool.query('select from settings limit 1').catch(explainDatabaseError);
    await refuseHiddenRows(database);
    await agreeOnSecretKey(database.prisma, key.fingerprint);
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

/**
 * The key that was given may also be in a file, where `npm start` keeps it. None is made up here: each machine would make one
 * of its own, and a process with a new disk could not start any more.
 * @throws ConfigError
 */
async function storedSecretKey({ LOGFERRY_DATA }: Config): Promise<string> {
  const stored = await readSecret(LOGFERRY_DATA, secretKeyFile);
  if (stored !== undefined) return stored;
  throw new ConfigError([
    'LOGFERRY_SECRET_KEY is not set. Make one (openssl rand -base64 32), set the same for every process, and keep a copy: ' +
      'without it, stored webhook secrets cannot be read and download links stop working.',
  ]);
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

/** With another key nothing that was sealed could be opened, and every link given out would break: so it is refused. */
async function agreeOnSecretKey(prisma: Prisma, fingerprint: string): Promise<void> {
  const name = fingerprintName;
  await prisma.setting.createMany({ data: [{ name, value: fingerprint }], skipDuplicates: true });
  const { value } = await prisma.setting.findUniqueOrThrow({ where: { name } });
  if (value === fingerprint) return;
  throw new ConfigError([
    `LOGFERRY_SECRET_KEY is not the one this database was used with (fingerprint ${fingerprint}, the database knows ${value}). ` +
      'Set the key of the other processes, or the secret-key file in their LOGFERRY_DATA.',
  ]);
}

import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { startApi } from '../api/start-api.ts';
import { type Config, readConfig, variables } from '../core/config.ts';
import { queueEngineOf } from '../core/engines.ts';
import { makeLog } from '../core/log.ts';
import { keptSecret, newSecretKey, secretKeyFile } from '../core/secret-key.ts';
import { StartError } from '../core/stop-signals.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { ensureDatabase, migrate, migrateQueue } from '../prisma/migrate.ts';
import { reseal } from '../prisma/secret-key/reseal.ts';
import { findFreePort } from './free-port.ts';
import { startEmbeddedPostgres } from './postgres/embedded-postgres.ts';
import { keepWorker } from './worker/keep-worker.ts';

/** A key to begin with: it is shown when it was made by this start, later only where it is kept. */
export type ShownKey = { key: string; isNew: boolean; keptIn: string };

/** Logferry on this machine: its address on this machine, and the management key to begin with. */
export type Local = { url: string; admin: ShownKey; config: Config; databaseUrl: string; stop(): Promise<void> };

/**
 * Starts everything on this machine: a database of its own unless DATABASE_URL names one, the API in this process, and the
 * worker in one beside it, so that exports never keep requests waiting.
 * @throws ConfigError, StartError and others whose message is for the user
 */
export async function startLocal(environment: Record<string, string | undefined> = process.env): Promise<Local> {
  const given = readConfig(environment);
  const admin = await findAdminKey(given);
  // Links name the port, so a free one is chosen here rather than by the system when the API listens.
  const port = given.PORT === 0 ? await findFreePort() : given.PORT;
  const settings = { LOGFERRY_WEBHOOK_ALLOW: 'localhost', ...environment, PORT: String(port) };
  const config = readConfig({ ...settings, LOGFERRY_ADMIN_KEY: admin.key });
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  const log = makeLog(config.LOGFERRY_LOG_LEVEL);
  try {
    let databaseUrl = config.DATABASE_URL;
    if (!databaseUrl) {
      const postgres = await startEmbeddedPostgres({
        directory: join(config.LOGFERRY_DATA, 'postgres'),
        log: (line) => log.debug(line),
      }).catch((cause) => {
        throw new StartError((cause as Error).message, { cause });
      });
      stops.push(postgres.stop);
      databaseUrl = postgres.url('logferry');
      await ensureDatabase(databaseUrl);
    }
    await migrate(databaseUrl).catch(explainDatabaseError);
    const queueUrl = config.QUEUE_URL ?? databaseUrl;
    if (queueEngineOf(queueUrl) === 'postgresql') await migrateQueue(queueUrl);
    if (!config.LOGFERRY_SECRET_KEY) await keptSecret(config.LOGFERRY_DATA, secretKeyFile, newSecretKey);
    const deployment = await openDeployment(config, databaseUrl);
    stops.push(deployment.close);
    // Nobody else has the database, so that the key before is needed no longer than this.
    if (config.LOGFERRY_SECRET_KEY_PREVIOUS) await reseal(deployment.database.prisma, deployment.secretKey);
    const worker = keepWorker({ environment: workerEnvironment(settings, databaseUrl), log });
    const ends = [worker.stop];
    stops.push(async () => void (await Promise.all(ends.map((end) => end()))));
    deployment.metrics.addFiguresOf(worker.figures);
    const api = await startApi(deployment);
    ends.push(api.stop);
    await worker.ready;
    return { url: addressOf(config), admin, config, databaseUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function findAdminKey({ LOGFERRY_ADMIN_KEY, LOGFERRY_DATA }: Config): Promise<ShownKey> {
  if (LOGFERRY_ADMIN_KEY) return { key: LOGFERRY_ADMIN_KEY, isNew: false, keptIn: '$LOGFERRY_ADMIN_KEY' };
  const name = 'admin-key';
  const make = () => `lf_admin_${randomBytes(24).toString('base64url')}`;
  const { text, isNew } = await keptSecret(LOGFERRY_DATA, name, make);
  return { key: text, isNew, keptIn: resolve(LOGFERRY_DATA, name) };
}

/** Where this machine reaches the API. PUBLIC_URL may name a proxy that is not there yet. */
function addressOf({ HOST, PORT }: Config): string {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[HOST] ?? HOST;
  return `http://${host.includes(':') ? `[${host}]` : host}:${PORT}`;
}

/**
 * What the worker process knows: of Logferry what was given here, all else as it is on this machine. The management key is
 * none of its business.
 */
function workerEnvironment(settings: Record<string, string | undefined>, databaseUrl: string): NodeJS.ProcessEnv {
  const ofMachine = Object.entries(process.env).filter(([name]) => !Object.hasOwn(variables, name));
  const { LOGFERRY_ADMIN_KEY: _, ...known } = settings;
  return { ...Object.fromEntries(ofMachine), ...known, DATABASE_URL: databaseUrl };
}

/** Errors of PostgreSQL and of the connection to it carry a code; their stack would tell the user nothing more. */
function explainDatabaseError(error: Error & { code?: string }): never {
  if (error.code === undefined) throw error;
  throw new StartError(`The database of DATABASE_URL cannot be used: ${error.message || error.code}.`, {
    cause: error,
  });
}

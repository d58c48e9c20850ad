import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startApi } from '../api/start-api.ts';
import { type Config, readConfig } from '../core/config.ts';
import { makeLog } from '../core/log.ts';
import { keptSecret } from '../core/secret-key.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { ensureDatabase, migrate, migrateQueue } from '../prisma/migrate.ts';
import { startWorker } from '../worker/start-worker.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';

/** Logferry in one process: where it listens, and the management key to begin with. */
export type Local = { url: string; adminKey: string; config: Config; databaseUrl: string; stop(): Promise<void> };

/**
 * Starts everything on this machine: a database of its own unless DATABASE_URL names one, API and worker.
 * @throws ConfigError, StartError and others whose message is for the user
 */
export async function startLocal(environment: Record<string, string | undefined> = process.env): Promise<Local> {
  const given = readConfig(environment);
  const adminKey =
    given.LOGFERRY_ADMIN_KEY ??
    (await keptSecret(given.LOGFERRY_DATA, 'admin-key', () => `lf_admin_${randomBytes(24).toString('base64url')}`));
  const config = readConfig({ ...environment, LOGFERRY_ADMIN_KEY: adminKey });
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    let databaseUrl = config.DATABASE_URL;
    if (!databaseUrl) {
      const log = makeLog(config.LOGFERRY_LOG_LEVEL);
      const postgres = await startEmbeddedPostgres({
        directory: join(config.LOGFERRY_DATA, 'postgres'),
        log: (line) => log.debug(line),
      });
      stops.push(postgres.stop);
      databaseUrl = postgres.url('logferry');
      await ensureDatabase(databaseUrl);
    }
    await migrate(databaseUrl);
    await migrateQueue(config.QUEUE_URL ?? databaseUrl);
    const deployment = await openDeployment(config, databaseUrl);
    stops.push(deployment.close);
    const api = await startApi(deployment);
    stops.push(api.stop);
    const worker = await startWorker(deployment);
    stops.push(worker.stop);
    return { url: config.publicUrl, adminKey, config, databaseUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

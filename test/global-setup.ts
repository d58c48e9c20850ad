import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../local/postgres/embedded-postgres.ts';
import { ensureDatabase, migrate, migrateQueue } from '../prisma/migrate.ts';
import { serveServices } from './services/serve-services.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A migrated database that nobody connects to; test/database.ts copies it. */
    templateUrl: string;
    /** Where test/services/services.ts asks for S3 and Redis. */
    servicesUrl: string;
  }
}

/**
 * One Postgres for the whole run: TEST_DATABASE_URL (a role that may create databases), or an embedded one in a temporary
 * directory; and S3 and Redis once a test file asks for them. All end with the run, also with one that is interrupted or
 * killed.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = process.env.TEST_DATABASE_URL ? existing(process.env.TEST_DATABASE_URL) : await embedded();
  try {
    const templateUrl = server.url(`logferry_test_${randomUUID().slice(0, 8)}`);
    await ensureDatabase(templateUrl);
    await migrate(templateUrl);
    await migrateQueue(templateUrl);
    project.provide('templateUrl', templateUrl);
    const services = await serveServices();
    project.provide('servicesUrl', services.url);
    return async () => {
      await services.stop();
      await server.stop(templateUrl);
    };
  } catch (error) {
    await server.stop(undefined);
    throw error;
  }
}

type Server = { url(databaseName: string): string; stop(templateUrl: string | undefined): Promise<void> };

async function embedded(): Promise<Server> {
  const directory = mkdtempSync(join(tmpdir(), 'logferry-test-'));
  const postgres = await startEmbeddedPostgres({ directory, fast: true, temporary: true, log: console.error });
  return { url: postgres.url, stop: postgres.stop };
}

function existing(url: string): Server {
  return {
    url: (databaseName) => Object.assign(new URL(url), { pathname: `/${databaseName}` }).href,
    async stop(templateUrl) {
      if (!templateUrl) return;
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const template = new URL(templateUrl).pathname.slice(1);
      const { rows } = await client.query('select datname from pg_database where starts_with(datname, $1)', [template]);
      for (const { datname } of rows)
        await client.query(`drop database if exists ${pg.escapeIdentifier(datname)} with (force)`);
      await client.end();
    },
  };
}

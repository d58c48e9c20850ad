import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi } from '../../api/start-api.ts';
import { readConfig } from '../../core/config.ts';
import { newSecretKey } from '../../core/secret-key.ts';
import { type Deployment, openDeployment } from '../../prisma/deployment.ts';
import { migrate, migrateQueue } from '../../prisma/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { watchProcess } from '../watch-process.ts';

const migrations = join(import.meta.dirname, '..', '..', 'prisma', 'migrations');
const adminKey = 'a-management-key-of-tests';

describe('Processes of a version that the database is not of', () => {
  let database: TestDatabase;
  let directory: string;
  let environment: Record<string, string>;
  beforeAll(async () => {
    database = await createTestDatabase({ empty: true });
    directory = await mkdtemp(join(tmpdir(), 'logferry-schema-'));
    const first = '20261122000000_first';
    await cp(join(migrations, first), join(directory, 'migrations', first), { recursive: true });
    await migrate(database.url, undefined, join(directory, 'migrations'));
    environment = {
      DATABASE_URL: database.url,
      LOGFERRY_SECRET_KEY: newSecretKey(),
      LOGFERRY_ADMIN_KEY: adminKey,
      LOGFERRY_DATA: directory,
      PORT: '0',
    };
  });
  afterAll(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const open = () => openDeployment(readConfig({ ...environment, LOGFERRY_LOG_LEVEL: 'silent' }));
  async function served<T>(deployment: Deployment, work: (get: (path: string) => Promise<Response>) => Promise<T>) {
    const api = await startApi(deployment);
    const headers = { authorization: `Bearer ${adminKey}` };
    try {
      return await work((path) => fetch(`http://127.0.0.1:${api.port}${path}`, { headers }));
    } finally {
      await api.stop();
      await deployment.close();
    }
  }
  const readyz = async (get: (path: string) => Promise<Response>) => {
    const reply = await get('/readyz');
    const body = (await reply.json()) as { not_ready: string[]; reasons?: { schema: string } };
    return { ...body, status: reply.status };
  };

  it('are not ready, name the migrations that are missing, serve nothing, and go on once these are applied', async () => {
    const worker = watchProcess(
      spawn(process.execPath, ['worker/main.ts'], {
        env: { PATH: process.env.PATH, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    );
    await served(await open(), async (get) => {
      expect(await readyz(get)).toMatchObject({
        status: 503,
        not_ready: expect.arrayContaining(['schema']),
        reasons: { schema: expect.stringMatching(/not applied: \d+_engines, .*npm run migrate/) },
      });
      expect((await get('/livez')).status).toBe(200);
      expect((await get('/v1/tenants')).status).toBe(503);
      await worker.logged('waiting for the schema of this version: run "npm run migrate"');
      await migrateQueue(database.url);
      await migrate(database.url);
      expect((await get('/v1/tenants')).status).toBe(200);
      await expect.poll(() => readyz(get)).not.toHaveProperty('reasons');
      await worker.logged('worker runs');
    });
    await worker.ended('SIGKILL');
  });

  it('are not ready when it is of a newer version; one that ran before serves on until it is replaced', async () => {
    await migrate(database.url);
    await served(await open(), async (get) => {
      expect((await get('/v1/tenants')).status).toBe(200);
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      await client.query(
        `insert into _prisma_migrations (id, checksum, finished_at, migration_name) values ('1', 'x', now(), '99990101000000_next')`,
      );
      await client.end();
      await expect
        .poll(() => readyz(get))
        .toMatchObject({ status: 503, reasons: { schema: expect.stringContaining('99990101000000_next') } });
      expect((await get('/v1/tenants')).status).toBe(200);
    });
    await served(await open(), async (get) => expect((await get('/v1/tenants')).status).toBe(503));
  });
});

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../core/config.ts';
import { openDeployment } from '../../prisma/deployment.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';

const newKey = () => randomBytes(32).toString('base64');
const firstKey = newKey();

describe('openDeployment', () => {
  let testDatabase: TestDatabase;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
  });
  afterAll(() => testDatabase.drop());

  const open = (environment: Record<string, string>) =>
    openDeployment(
      readConfig({
        DATABASE_URL: testDatabase.url,
        LOGFERRY_LOG_LEVEL: 'silent',
        LOGFERRY_SECRET_KEY: newKey(),
        ...environment,
      }),
    );

  it('opens with the key that the database was used with first, and says why it refuses another one', async () => {
    const LOGFERRY_SECRET_KEY = firstKey;
    for (let start = 1; start <= 2; start++) await (await open({ LOGFERRY_SECRET_KEY })).close();
    await expect(open({})).rejects.toThrow(/LOGFERRY_SECRET_KEY is not the one this database was used with/);
  });

  it('refuses to make up a secret key, and takes the one that npm start has kept', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'logferry-key-'));
    const environment = { LOGFERRY_SECRET_KEY: '', LOGFERRY_DATA: directory };
    await expect(open(environment)).rejects.toThrow(/LOGFERRY_SECRET_KEY is not set.*openssl rand -base64 32/);
    await writeFile(join(directory, 'secret-key'), `${firstKey}\n`);
    await (await open(environment)).close();
    await rm(directory, { recursive: true });
  });

  it('refuses a role that does not own the tables, as it would find every log empty', async () => {
    const client = new pg.Client({ connectionString: testDatabase.url });
    await client.connect();
    const role = `other_${randomUUID().slice(0, 8)}`;
    await client.query(
      `create role ${role} login password 'right'; grant all on all tables in schema public to ${role}`,
    );
    const url = Object.assign(new URL(testDatabase.url), { username: role, password: 'right' }).href;
    const opened = open({ DATABASE_URL: url, LOGFERRY_SECRET_KEY: firstKey });
    await expect(opened).rejects.toThrow(/Row-level security hides all rows.*which does not own the tables/);
    await client.query(`drop owned by ${role}; drop role ${role}`);
    await client.end();
  });

  it('closes the store with everything else', async () => {
    const deployment = await open({ LOGFERRY_SECRET_KEY: firstKey });
    let isClosed = false;
    const { close } = deployment.store;
    deployment.store.close = async () => {
      isClosed = true;
      await close();
    };
    await deployment.close();
    expect(isClosed).toBe(true);
  });

  it.each([
    [{ QUEUE_URL: 'redis://localhost?clutser=true' }, /QUEUE_URL: unknown parameter "clutser", did you mean "cluster"/],
    [{ DATABASE_URL: '' }, /DATABASE_URL is not set/],
  ])('says what this version cannot use: %j', async (environment, message) => {
    await expect(open(environment)).rejects.toThrow(message);
  });
});

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../local/free-port.ts';
import type { S3Service } from '../../local/services/find-s3.ts';
import { createTestBucket } from '../../local/services/test-bucket.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { startRedisServer } from '../services/redis-server.ts';
import { s3Service } from '../services/services.ts';
import { diagnose, runDoctor } from './run-doctor.ts';

const s3 = await s3Service();

let directory: string;
let testDatabase: TestDatabase;
let sound: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'logferry-doctor-'));
  testDatabase = await createTestDatabase();
  sound = {
    LOGFERRY_DATA: directory,
    DATABASE_URL: testDatabase.url,
    STORAGE_URL: pathToFileURL(join(directory, 'files')).href,
    LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
    LOGFERRY_ADMIN_KEY: randomBytes(24).toString('hex'),
    LOGFERRY_EXPORT_CONCURRENCY: '1',
    LOGFERRY_EXPORT_READERS: '1',
  };
});
afterAll(async () => {
  await testDatabase.drop();
  await rm(directory, { recursive: true, force: true });
});

/** A server that takes connections and never says a word. */
async function startSilence(): Promise<{ port: number; stop(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('npm run doctor', () => {
  it('is content where nothing is set, and says that npm start brings its own database', async () => {
    const { code, stdout, stderr } = await runDoctor({ LOGFERRY_DATA: directory });
    expect(stdout).toMatch(/^ok +database +DATABASE_URL is not set: "npm start" brings its own PostgreSQL/m);
    expect(stdout).toMatch(/^ok +machine +Node\.js \d+/m);
    expect(stdout).toMatch(/\n\d+ ok, 0 to be thought of, 0 failed\n$/);
    expect([code, stderr]).toEqual([0, '']);
  });

  it('finds nothing that fails where all is sound, and says so of each part', async () => {
    const { code, healthy, failures, about } = await diagnose(sound);
    expect(failures).toEqual([]);
    expect([code, healthy]).toEqual([0, true]);
    for (const part of ['configuration', 'machine', 'database', 'queue', 'storage', 'work']) {
      expect(about(part).length, part).toBeGreaterThan(0);
    }
    expect(about('database').map(({ text }) => text)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^PostgreSQL \d+.* answers within/),
        expect.stringMatching(/^all \d+ migrations are applied$/),
        expect.stringMatching(/^the role \w+ owns the tables$/),
        'sessions keep their settings',
        'its clock agrees with that of this machine',
      ]),
    );
  });

  it('finds all mistakes of the configuration at once, and looks at the rest', async () => {
    const wrong = { PORT: 'x', LOGFERRY_REGON: 'eu', EXPORT_TTL: '5' };
    const { code, failures, about } = await diagnose({ ...sound, ...wrong });
    expect(code).toBe(1);
    expect(failures.map(({ text }) => text)).toEqual([
      'LOGFERRY_REGON is not a variable of Logferry; did you mean LOGFERRY_REGION?',
      'PORT must be a whole number, not "x"',
      'EXPORT_TTL must be from 60 to 7776000, not "5"',
    ]);
    expect(about('database').some(({ text }) => text.startsWith('PostgreSQL'))).toBe(true);
  });

  it('looks at the others when the database is down, and says what to remedy', async () => {
    const url = `postgresql://logferry:hidden-word@127.0.0.1:${await findFreePort()}/logferry`;
    const { code, stdout } = await runDoctor({ ...sound, DATABASE_URL: url });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAILED +database +The database cannot be used: .*ECONNREFUSED.*\n +→ Start the server/m);
    expect(stdout).toMatch(/^ok +storage /m);
    expect(stdout).not.toContain('hidden-word');
  });

  it('looks at the others when Redis or the storage is down', async () => {
    const QUEUE_URL = `redis://:hidden-word@127.0.0.1:${await findFreePort()}`;
    const STORAGE_URL = 's3://nowhere/here';
    const S3_ENDPOINT = `http://127.0.0.1:${await findFreePort()}`;
    const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', S3_FORCE_PATH_STYLE: 'true' };
    const { code, failures, about, findings } = await diagnose({
      ...sound,
      ...credentials,
      QUEUE_URL,
      STORAGE_URL,
      S3_ENDPOINT,
    });
    expect(code).toBe(1);
    expect([...new Set(failures.map((finding) => finding.about))]).toEqual(['queue', 'storage']);
    expect(about('database').every(({ level }) => level !== 'failure')).toBe(true);
    expect(JSON.stringify(findings)).not.toContain('hidden-word');
  });

  it('ends within seconds where everything hangs, and names all that does', async () => {
    const silence = await startSilence();
    const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', S3_FORCE_PATH_STYLE: 'true' };
    const { code, seconds, failures } = await diagnose({
      ...sound,
      ...credentials,
      DATABASE_URL: `postgresql://logferry@127.0.0.1:${silence.port}/logferry`,
      QUEUE_URL: `redis://127.0.0.1:${silence.port}`,
      STORAGE_URL: 's3://nowhere/here',
      S3_ENDPOINT: `http://127.0.0.1:${silence.port}`,
    });
    silence.stop();
    expect(code).toBe(1);
    expect([...new Set(failures.map((finding) => finding.about))]).toEqual(['database', 'queue', 'storage']);
    expect(seconds).toBeLessThan(20);
  });

  it('looks at a Redis, and fails one that evicts', async () => {
    const redis = await startRedisServer({ args: ['--appendonly', 'yes', '--dir', directory] });
    const well = await diagnose({ ...sound, QUEUE_URL: redis.url });
    expect(well.failures).toEqual([]);
    expect(well.about('queue').map(({ text }) => text)).toContain('it evicts no keys (noeviction)');
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const evicting = await diagnose({ ...sound, QUEUE_URL: redis.url });
    expect(evicting.failures).toMatchObject([{ about: 'queue', remedy: 'Set its maxmemory-policy to noeviction' }]);
    await redis.stop();
  });

  it('prints lines for people and one object for machines', async () => {
    const { stdout } = await runDoctor({ ...sound, LOGFERRY_RATE_LIMIT: '0' }, ['--json']);
    const { healthy, count, findings } = JSON.parse(stdout);
    expect(healthy).toBe(true);
    expect(count).toMatchObject({ failure: 0 });
    expect(findings).toContainEqual({
      level: 'warning',
      about: 'configuration',
      text: expect.stringContaining('LOGFERRY_RATE_LIMIT is 0'),
      remedy: expect.any(String),
    });
  });

  it('says what options it has, and ends with 2 for others', async () => {
    expect(await runDoctor({}, ['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--json') });
    const { code, stdout } = await runDoctor({}, ['--jsn']);
    expect([code, stdout]).toEqual([2, 'unknown option "--jsn", did you mean "--json"? Allowed: --json, --help\n']);
  });
});

describe.skipIf('missing' in s3)('npm run doctor with S3', () => {
  it('tries the bucket out, and fails one that is not there', async () => {
    const bucket = await createTestBucket(s3 as S3Service);
    const well = await diagnose({ ...sound, ...bucket.environment });
    expect(well.failures).toEqual([]);
    expect(well.about('storage').length).toBeGreaterThan(2);
    const gone = await diagnose({
      ...sound,
      ...bucket.environment,
      STORAGE_URL: 's3://logferry-test-that-is-not-there',
    });
    expect(gone.code).toBe(1);
    expect(gone.failures).toMatchObject([{ about: 'storage' }]);
    await bucket.remove();
  });
});

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePort } from '../../local/free-port.ts';
import { firstLineOf, startOwnProcess } from '../../local/services/own-process.ts';
import { isRedisReady } from '../../local/services/shared-redis.ts';
import { createTestBucket, type TestBucket } from '../../local/services/test-bucket.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { redisService, s3Service } from '../services/services.ts';
import { madeUpEnvironment } from './made-up-environment.ts';
import { readCompose } from './read-compose.ts';
import { buildImage, type Container, type Image } from './run-image.ts';

const { services } = readCompose(madeUpEnvironment);
const [redis, s3] = [await redisService(), await s3Service()];

describe.skipIf('missing' in redis || 'missing' in s3)('the image, run as docker-compose.yml runs it', () => {
  let image: Image;
  let database: TestDatabase;
  let bucket: TestBucket;
  let addresses: Record<string, string>;
  const containers: Record<string, Container> = {};

  /** The variables of a service; only the addresses are those of this machine. */
  const environmentOf = (name: string) => {
    const environment = services[name]!.environment!;
    return { ...environment, ...Object.fromEntries(Object.entries(addresses).filter(([key]) => key in environment)) };
  };
  const start = (name: string) => {
    containers[name] = image.start(services[name]!.command!, environmentOf(name));
    return containers[name];
  };

  beforeAll(async () => {
    if ('missing' in redis || 'missing' in s3) return;
    [image, database, bucket] = await Promise.all([
      buildImage(),
      createTestDatabase({ empty: true }),
      createTestBucket(s3),
    ]);
    const port = String(await findFreePort());
    addresses = {
      DATABASE_URL: database.url,
      QUEUE_URL: redis.url,
      STORAGE_URL: bucket.environment.STORAGE_URL!,
      S3_ENDPOINT: s3.endpoint,
      // Another name of the same server: links must bear this one.
      S3_PUBLIC_ENDPOINT: s3.endpoint.replace('127.0.0.1', 'localhost'),
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      PORT: port,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      WORKER_PORT: String(await findFreePort()),
    };
  });

  afterAll(async () => {
    await image?.remove();
    await bucket?.remove();
    await database?.drop();
  });

  test('migrates once, and a second time without a change', async () => {
    const first = start('migrate');
    expect(await first.ended(), first.output()).toBe(0);
    expect(first.output()).toContain('is up to date');
    expect(await start('migrate').ended()).toBe(0);
    expect(containers.migrate!.output()).toContain('was up to date');
  });

  test.each(['api', 'worker'])('becomes healthy as %s, which is Node itself', async (name) => {
    expect(await image.checkHealth(environmentOf(name))).not.toBe(0);
    const container = start(name);
    await expect
      .poll(() => image.checkHealth(environmentOf(name)), { timeout: 30_000, message: container.output() })
      .toBe(0);
    if (process.platform !== 'linux') return;
    expect(readFileSync(`/proc/${container.pid}/cmdline`, 'utf8')).toMatch(new RegExp(`^node\0.*\0${name}/main.ts\0$`));
  });

  test('exports what was written, to a link of the public address', async () => {
    const call = async (path: string, body: unknown, headers: Record<string, string>) => {
      const reply = await fetch(addresses.PUBLIC_URL + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      expect(reply.ok, `${path}: ${reply.status}`).toBe(true);
      return reply.json() as Promise<Record<string, string>>;
    };
    const admin = { authorization: `Bearer ${madeUpEnvironment.LOGFERRY_ADMIN_KEY}` };
    const tenant = { ...admin, 'logferry-tenant': (await call('/v1/tenants', { name: 'One' }, admin)).id! };
    await call('/v1/events/batch', { events: [{ action: 'user.login' }, { action: 'user.logout' }] }, tenant);
    const request = { format: 'csv', properties: [{ name: 'action' }], filter: { action: 'user.*' } };
    const finished = await call('/v1/exports', request, { ...tenant, prefer: 'wait=30' });
    expect(finished).toMatchObject({ status: 'completed', complete: true, rows: 2 });
    expect(new URL(finished.download_url!).origin).toBe(addresses.S3_PUBLIC_ENDPOINT);
    const file = await (await fetch(finished.download_url!)).text();
    expect(file).toBe('action\r\nuser.login\r\nuser.logout\r\n');
    expect(createHash('sha256').update(file).digest('hex')).toBe(finished.sha256);
  });

  test('finds nothing wrong with it as doctor', async () => {
    const doctor = image.start(['doctor'], environmentOf('api'));
    expect(await doctor.ended(), doctor.output()).toBe(0);
  });

  test.each(['worker', 'api'])('ends as %s with 0 on SIGTERM', async (name) => {
    const container = containers[name]!;
    expect(await container.ended('SIGTERM'), container.output()).toBe(0);
    expect(await image.checkHealth(environmentOf(name))).not.toBe(0);
  });
});

// S3_TEST_ENDPOINT may name another server, which runs no hook.
describe.skipIf('missing' in s3 || process.env.S3_TEST_ENDPOINT)(
  'LocalStack with the hook of docker-compose.yml',
  () => {
    test('has the bucket once it is healthy', async () => {
      if ('missing' in s3) return;
      const [, program, ...args] = services.localstack!.healthcheck!.test!;
      const here = args.map((argument) => argument.replace('http://127.0.0.1:4566', s3.endpoint));
      await promisify(execFile)(program!, here);
    });
  },
);

const redisServer = await firstLineOf('redis-server', ['--version']);

// Where Redis runs in Docker, there may be no program of it on this machine.
describe.skipIf(!redisServer)('Redis as docker-compose.yml starts it', () => {
  test('is healthy, and asks for its password', async () => {
    const port = await findFreePort();
    const { command, environment, healthcheck } = services.redis!;
    const server = await startOwnProcess({
      name: 'redis',
      program: command![0]!,
      args: (directory) => [...command!.slice(1), '--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
      isReady: async () => !(await isRedisReady(port)),
      deadlineMs: 10_000,
    });
    const check = healthcheck!.test![1]!.replace('redis-cli', `redis-cli -p ${port}`);
    const run = (env: Record<string, string>) =>
      promisify(execFile)('/bin/sh', ['-c', check], { env: { PATH: process.env.PATH, ...env } });
    await run(environment!);
    await expect(run({ REDISCLI_AUTH: 'wrong' })).rejects.toThrow('Command failed');
    await server.stop();
  });
});

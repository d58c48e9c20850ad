import { spawn } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { SignJWT } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { startApiProcess } from '../api/api-process.ts';
import { bodyOf } from '../api/start-app.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts';
import { type Exporting, startExporting } from '../worker/export-fixture.ts';
import { startWorkerProcess } from '../worker/worker-process.ts';

const word = () => randomBytes(12).toString('hex');
/** Each stands in the configuration of the processes below, some of which cannot reach what it opens. */
const planted = {
  adminKey: `planted-admin-${word()}`,
  databasePassword: new URL(inject('templateUrl')).password,
  queuePassword: word(),
  s3Secret: `planted/${word()}+/=`,
  jwtSecret: `planted-jwt-${word()}`,
};

let database: TestDatabase;
let receiver: WebhookReceiver;
let app: Exporting;
beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startWebhookReceiver((response, nth) => response.writeHead(nth === 1 ? 500 : 204).end());
  const { adminKey, jwtSecret } = planted;
  const jwt = { JWT_SECRET: jwtSecret, JWT_ISSUER: 'https://login.example.com', JWT_AUDIENCE: 'logferry' };
  const environment = { DATABASE_URL: database.url, LOGFERRY_ADMIN_KEY: adminKey, ...jwt };
  app = await startExporting({ ...environment, LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { worker: false });
});
afterAll(async () => {
  await app?.close();
  await receiver?.close();
  await database?.drop();
});

const debug = { LOGFERRY_LOG_LEVEL: 'trace' };

it('Secrets stand in no log, queue, table, metric or error, whatever fails', async () => {
  const said: string[] = [];
  const { config } = app.deps;
  const api = await startApiProcess(app, {
    ...debug,
    ...Object.fromEntries(
      (
        [
          'QUEUE_URL',
          'JWT_SECRET',
          'JWT_ISSUER',
          'JWT_AUDIENCE',
          'S3_ENDPOINT',
          'S3_REGION',
          'S3_FORCE_PATH_STYLE',
        ] as const
      )
        .filter((name) => config[name] !== undefined)
        .map((name) => [name, String(config[name])]),
    ),
    AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID ?? '',
    AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY ?? '',
    PUBLIC_URL: app.url,
    LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
  });
  const worker = startWorkerProcess(app, debug);
  const ask = async (path: string, key: string, json?: unknown): Promise<Response> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    return fetch(api.url + path, {
      headers,
      ...(json !== undefined && { method: 'POST', body: JSON.stringify(json) }),
    });
  };
  const tenant = await bodyOf(ask('/v1/tenants', planted.adminKey, { name: 'Acme', plan: 'pro' }));
  const { key } = await bodyOf(ask('/v1/api-keys', planted.adminKey, { name: 'k', tenant_id: tenant.id }));
  const jwt = await new SignJWT({ tenantId: tenant.id, permissions: ['fe.secure.read.audits'] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('u')
    .setIssuer('https://login.example.com')
    .setAudience('logferry')
    .setExpirationTime('1h')
    .sign(createSecretKey(planted.jwtSecret, 'utf8'));
  const hook = await bodyOf(ask('/v1/webhooks', key, { url: receiver.url }));
  await ask('/v1/events', key, { action: 'a' });
  const made = await bodyOf(ask('/v1/exports', key, { format: 'csv' }));
  const ended = async () => bodyOf(ask(`/v1/exports/${made.id}`, key));
  await expect.poll(async () => (await ended()).status, { timeout: 40_000, interval: 300 }).toBe('completed');
  const link = new URL((await ended()).download_url);
  const signature = link.searchParams.get('signature') ?? link.searchParams.get('X-Amz-Signature')!;
  await fetch(link);
  await expect.poll(() => receiver.received.length, { timeout: 40_000 }).toBeGreaterThan(1);
  const secrets = { ...planted, key, jwt: jwt.split('.')[2]!, webhook: hook.secret.slice(6), signature };
  expect(Object.values(secrets).every((secret) => secret.length > 16)).toBe(true);

  // What is refused and what is malformed, each with a secret in it.
  const refused = [
    ask('/v1/events', `${key}x`),
    ask('/v1/events', jwt.slice(0, -4)),
    ask('/v1/events', jwt),
    ask(`/v1/exports/${key}`, key),
    ask('/v1/webhooks', key, { url: `http://user:${planted.queuePassword}@127.0.0.1:1/` }),
    fetch(`${link.href}0`),
  ];
  for (const reply of await Promise.all(refused)) {
    const body = await reply.text();
    // The path that was asked for may be repeated to whoever asked for it.
    if (!reply.url.includes(key) && reply.ok === false) said.push(body);
  }
  const metrics = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${planted.adminKey}` } });
  said.push(await metrics.text());
  said.push(...(await Promise.all([...unreachable(config.LOGFERRY_SECRET_KEY!)].map(outputOf))));
  await Promise.all([api.ended('SIGTERM'), worker.ended('SIGTERM')]);
  said.push(JSON.stringify(api.entries), JSON.stringify(worker.entries), await stored());
  expect(said.join('').length).toBeGreaterThan(10_000);
  for (const [name, secret] of Object.entries(secrets)) {
    const leaking = said.filter((each) => each.includes(secret)).map((each) => around(each, secret));
    expect(leaking, name).toEqual([]);
  }
}, 180_000);

const around = (said: string, secret: string): string => {
  const at = said.indexOf(secret);
  return said.slice(Math.max(0, at - 200), at + 20);
};

/** Processes each of which is refused, or finds nobody, where one of its secrets would let it in. */
function* unreachable(LOGFERRY_SECRET_KEY: string): Generator<[program: string, environment: Record<string, string>]> {
  const nobody = `postgresql://logferry:${planted.databasePassword}@127.0.0.1:1/x`;
  const here = { LOGFERRY_SECRET_KEY, LOGFERRY_ADMIN_KEY: planted.adminKey, DATABASE_URL: database.url };
  const s3 = {
    STORAGE_URL: 's3://bucket/exports',
    S3_ENDPOINT: 'http://127.0.0.1:1',
    S3_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIAPLANTED',
    AWS_SECRET_ACCESS_KEY: planted.s3Secret,
  };
  for (const program of ['api/main.ts', 'worker/main.ts', 'doctor/main.ts']) {
    yield [program, { ...here, DATABASE_URL: nobody }];
    yield [program, { ...here, QUEUE_URL: `redis://:${planted.queuePassword}@127.0.0.1:1/0`, ...s3 }];
  }
  yield ['api/main.ts', { ...here, DATABASE_URL: `postgresql://a:${planted.databasePassword}@` }];
  yield ['api/main.ts', { ...here, LOGFERRY_SECRET_KEY: planted.jwtSecret }];
}

const patienceMs = 10_000;

/** All that a process says until it ends, or has tried for long enough. */
async function outputOf([program, environment]: [string, Record<string, string>]): Promise<string> {
  const env = { PATH: process.env.PATH, PORT: '0', ...debug, ...environment } as NodeJS.ProcessEnv;
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit');
  const kill = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  const [out, err] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  await exit;
  clearTimeout(kill);
  return out + err;
}

/** Every row of every table, those of the queue too, and every value in Redis. */
async function stored(): Promise<string> {
  const { DATABASE_URL, QUEUE_URL } = app.deps.config;
  const queue = QUEUE_URL?.startsWith('redis') ? everythingIn(QUEUE_URL) : allRowsOf(QUEUE_URL ?? DATABASE_URL!);
  return (await Promise.all([allRowsOf(DATABASE_URL!), queue])).join('\n');
}

async function allRowsOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      texts.push(...rows.map(({ row }) => row));
    }
    return texts.join('\n');
  } finally {
    await client.end();
  }
}

async function everythingIn(url: string): Promise<string> {
  const redis = new Redis(url);
  const read: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => redis.get(key),
    hash: (key) => redis.hgetall(key),
    list: (key) => redis.lrange(key, 0, -1),
    set: (key) => redis.smembers(key),
    zset: (key) => redis.zrange(key, '0', '-1'),
    stream: (key) => redis.xrange(key, '-', '+'),
  };
  try {
    const keys = await redis.keys('*');
    return JSON.stringify(await Promise.all(keys.map(async (key) => [key, await read[await redis.type(key)]?.(key)])));
  } finally {
    redis.disconnect();
  }
}

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { S3Service } from '../../local/services/find-s3.ts';
import { createTestBucket, type TestBucket } from '../../local/services/test-bucket.ts';
import { ensureDatabase, migrate } from '../../prisma/migrate.ts';
import { type DisturbingProxy, startDisturbingProxy } from '../disturbing-proxy.ts';
import { type RedisServer, startRedisServer } from '../services/redis-server.ts';
import { type ApiClient, apiClient } from './api-client.ts';
import { fleetMember, type Member, notePeak } from './fleet-member.ts';
import { type PostgresServer, startPostgresServer } from './postgres-server.ts';
import { recordRequests, type S3Requests } from './s3-requests.ts';
import { findStablePort } from './stable-port.ts';
import { recordHistory } from './status-history.ts';

/** A whole deployment of real processes on one Postgres, one Redis and one S3, each to be disturbed. */
export type Fleet = {
  apis: Member[];
  workers: Member[];
  postgres: PostgresServer;
  redis: RedisServer;
  bucket: TestBucket;
  /** Stands between the fleet and S3. */
  proxy: DisturbingProxy;
  s3Requests: S3Requests;
  client: ApiClient;
  /** Past Logferry, to look at its tables. */
  pool: pg.Pool;
  /** What a process of the fleet is started with. */
  environment: Record<string, string>;
  /** Ends everything and removes what it kept. */
  stop(): Promise<void>;
};

/** Small parts and short times, so that little work makes many steps; the rest is as docs/configuration.md has it. */
const settings = {
  LOGFERRY_PART_MIB: '5',
  LOGFERRY_SEGMENT_ROWS: '2000',
  LOGFERRY_LEASE_SECONDS: '8',
  LOGFERRY_SWEEP_SECONDS: '2',
  LOGFERRY_YIELD_SECONDS: '5',
  LOGFERRY_EXPORT_CONCURRENCY: '2',
  LOGFERRY_EXPORT_READERS: '2',
  LOGFERRY_PARTS_IN_FLIGHT: '2',
  LOGFERRY_RATE_LIMIT: '0',
  LOGFERRY_LOG_LEVEL: 'info',
  LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
};

export type FleetOptions = { s3: S3Service; apis?: number; workers?: number; environment?: Record<string, string> };

/** Starts servers and APIs; workers are there but not started. @param environment variables of docs/configuration.md, over `settings` */
export async function startFleet({ s3, apis = 3, workers = 4, environment = {} }: FleetOptions): Promise<Fleet> {
  const ends: (() => unknown)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const { postgres, redis, bucket, proxy, pool } = await startServers(s3, ends);
    const adminKey = `test-admin-${randomBytes(12).toString('hex')}`;
    const shared = {
      ...bucket.environment,
      ...settings,
      S3_ENDPOINT: proxy.url,
      DATABASE_URL: postgres.url,
      QUEUE_URL: redis.url,
      LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
      LOGFERRY_ADMIN_KEY: adminKey,
      ...environment,
    };
    const apiMembers = await Promise.all(Array.from({ length: apis }, (_, i) => apiMember(`api ${i + 1}`, shared)));
    const members = { apis: apiMembers.map(({ member }) => member), workers: workerMembers(workers, shared) };
    ends.push(() => endAll(members), watchMemory(members));
    await Promise.all(members.apis.map((each) => each.start()));
    const client = apiClient(
      apiMembers.map(({ url }) => url),
      adminKey,
    );
    const s3Requests = recordRequests(Number(new URL(proxy.url).port));
    ends.push(() => s3Requests.stop());
    return { ...members, postgres, redis, bucket, proxy, s3Requests, client, pool, environment: shared, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(s3: S3Service, ends: (() => unknown)[]) {
  const postgres = await startPostgresServer();
  ends.push(() => postgres.stop());
  const kept = await mkdtemp(join(tmpdir(), 'logferry-chaos-redis-'));
  ends.push(() => rm(kept, { recursive: true, force: true }));
  const redis = await startRedisServer({ args: ['--appendonly', 'yes', '--dir', kept] });
  ends.push(() => redis.stop());
  const bucket = await createTestBucket(s3);
  ends.push(() => bucket.remove());
  const proxy = await startDisturbingProxy(s3.endpoint);
  ends.push(() => proxy.close());
  await ensureDatabase(postgres.url);
  await migrate(postgres.url);
  const pool = new pg.Pool({ connectionString: postgres.url, max: 3, options: '-c TimeZone=UTC' });
  pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}));
  ends.push(() => pool.end());
  await recordHistory(pool);
  return { postgres, redis, bucket, proxy, pool };
}

async function apiMember(name: string, shared: Record<string, string>): Promise<{ member: Member; url: string }> {
  const PORT = String(await findStablePort());
  const environment = { ...shared, PORT, LOGFERRY_LOG_LEVEL: 'info' };
  return {
    member: fleetMember({ name, program: 'api/main.ts', environment, says: 'API listens' }),
    url: `http://127.0.0.1:${PORT}`,
  };
}

const workerMembers = (count: number, environment: Record<string, string>): Member[] =>
  Array.from({ length: count }, (_, i) =>
    fleetMember({ name: `worker ${i + 1}`, program: 'worker/main.ts', environment, says: 'worker runs' }),
  );

async function endAll({ apis, workers }: Pick<Fleet, 'apis' | 'workers'>): Promise<void> {
  const alive = [...apis, ...workers].filter((each) => each.lives.length > 0 && !each.current().end);
  await Promise.all(alive.map((each) => each.kill()));
}

/** Notes the memory of all processes every second, until it is told to stop. */
function watchMemory({ apis, workers }: Pick<Fleet, 'apis' | 'workers'>): () => void {
  const timer = setInterval(() => {
    for (const { lives } of [...apis, ...workers]) for (const life of lives) notePeak(life);
  }, 1_000);
  return () => clearInterval(timer);
}

import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../local/postgres/embedded-postgres.ts';
import { findRedis, type RedisService, type Stop } from '../local/services/find-redis.ts';
import { findS3, type S3Service } from '../local/services/find-s3.ts';
import type { Missing } from '../local/services/missing.ts';
import { createTestBucket, type TestBucket } from '../local/services/test-bucket.ts';
import { ensureDatabase, migrate, migrateQueue } from '../prisma/migrate.ts';

/** What all contenders share. */
export type Servers = {
  databaseUrl: string;
  /** The first process of PostgreSQL: what its children take is reckoned to it. */
  postgresPid: number;
  redis: RedisService | Missing;
  s3: { service: S3Service; bucket: TestBucket } | Missing;
  /** An empty directory for files, removed at the end. */
  directory: string;
};

/**
 * Starts PostgreSQL as `npm start` does, with its settings, and Redis and S3 as tests do.
 * @param stops gets what ends each
 */
export async function startServers(stops: Stop[]): Promise<Servers> {
  // S3 takes longest to start.
  const s3 = startS3(stops);
  s3.catch(() => {});
  const directory = mkdtempSync(join(tmpdir(), 'logferry-bench-'));
  const postgres = await startEmbeddedPostgres({ directory, temporary: true, log: console.error });
  stops.push(postgres.stop);
  const postgresPid = Number(readFileSync(join(directory, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);
  const databaseUrl = postgres.url('logferry');
  await ensureDatabase(databaseUrl);
  await migrate(databaseUrl);
  await migrateQueue(databaseUrl);
  const redis = await findRedis(stops);
  return { databaseUrl, postgresPid, redis, s3: await s3, directory };
}

async function startS3(stops: Stop[]): Promise<Servers['s3']> {
  const service = await findS3(stops);
  if ('missing' in service) return service;
  const bucket = await createTestBucket(service);
  stops.push(() => bucket.remove());
  return { service, bucket };
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import pg from 'pg';
import { inject } from 'vitest';
import { isMissing, type Missing } from '../local/services/missing.ts';
import { createTestBucket } from '../local/services/test-bucket.ts';
import { type Engines, enginePairs } from './engine-pairs.ts';
import { giveBackRedis, redisService, s3Service } from './services/services.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Only where the export suite runs; elsewhere it is that of `npm start`. */
    engines: Engines | undefined;
  }
}

/** The queue and the storage of this run of the test file. */
export const engines: Engines = inject('engines') ?? enginePairs['postgres+files']!;

/**
 * The least that LOGFERRY_PART_MIB may be. Tests that want many parts make their events larger by it: S3 takes no parts under
 * 5 MiB.
 */
export const leastPartMib = engines.storage === 's3' ? 5 : 1;

/** The variables that point Logferry to something of one test's own. */
export type Engine = { environment: Record<string, string>; close(): Promise<void> };

/** An empty place for files: a folder, or a bucket. */
export async function openTestStorage(): Promise<Engine> {
  if (engines.storage === 's3') {
    const bucket = await createTestBucket(present(await s3Service()));
    // From there the AWS SDK of this process takes them, as that of any process does.
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = bucket.environment;
    Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
    return { environment: bucket.environment, close: bucket.remove };
  }
  const directory = await mkdtemp(join(tmpdir(), 'logferry-files-'));
  return {
    environment: { STORAGE_URL: pathToFileURL(directory).href },
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A queue in the database, or one on Redis. `forget` makes it lose all jobs, as FLUSHDB does. */
export async function openTestQueue(databaseUrl: string): Promise<Engine & { forget(): Promise<void> }> {
  if (engines.queue === 'redis') {
    const { url } = present(await redisService());
    return { environment: { QUEUE_URL: url }, forget: () => flush(url), close: () => giveBackRedis(url) };
  }
  return {
    environment: { QUEUE_URL: databaseUrl },
    forget: () => deleteJobs(databaseUrl),
    async close() {},
  };
}

async function flush(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.flushdb();
  redis.disconnect();
}

async function deleteJobs(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('delete from bullmq.job');
  await client.end();
}

/** test/engine-runner.ts skips the files for which something is missing. */
function present<T extends object>(service: T | Missing): T {
  if (isMissing(service)) throw new Error(service.missing);
  return service;
}

import { inject } from 'vitest';
import type { RedisService } from '../../local/services/find-redis.ts';
import type { S3Service } from '../../local/services/find-s3.ts';
import { isMissing, type Missing } from '../../local/services/missing.ts';

/**
 * The S3 server of this run, for `await` at the top of a test file: the first call starts it (10 to 30 seconds), all files
 * share it, so each makes buckets of its own (test-bucket.ts). S3_TEST_ENDPOINT names one that is there (with the usual
 * AWS_… variables, or `test` for both keys). Without any, `missing` says why: `describe.skipIf('missing' in s3)`.
 * @throws Error with that reason if REQUIRE_SERVICES is set, and if the server does not start
 */
export const s3Service = () => ask<S3Service>('GET', '/s3', 'S3');

/**
 * An empty Redis database that nobody else has, on the server of this run; each call gives another. REDIS_TEST_URL names
 * a server that is there. Otherwise as s3Service.
 */
export const redisService = () => ask<RedisService>('GET', '/redis', 'Redis');

/** Gives a database of redisService back. */
export async function giveBackRedis(url: string): Promise<void> {
  await ask('DELETE', `/redis?${new URLSearchParams({ url })}`, 'Redis');
}

async function ask<T>(method: string, path: string, name: string): Promise<T | Missing> {
  const reply = await fetch(inject('servicesUrl') + path, { method });
  const body = (await reply.json()) as T | Missing;
  if (!reply.ok) throw new Error(`${name}: ${body}`);
  if (process.env.REQUIRE_SERVICES && isMissing(body)) throw new Error(`${name} is required, but ${body.missing}`);
  return body;
}

import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { createTestBucket } from '../../../local/services/test-bucket.ts';
import { giveBackRedis, redisService, s3Service } from '../../services/services.ts';

const s3 = await s3Service();
const redis = await redisService();

describe.skipIf('missing' in s3)('the S3 of the run', () => {
  test('is one server for all who ask', async () => {
    expect(await s3Service()).toEqual(s3);
  });

  test('gives buckets that are gone once they are removed', async () => {
    if ('missing' in s3) return;
    const [kept, removed] = [await createTestBucket(s3), await createTestBucket(s3)];
    await removed.remove();
    const { Buckets = [] } = await kept.client.send(new ListBucketsCommand({}));
    const names = Buckets.map(({ Name }) => Name);
    expect(names).toContain(kept.name);
    expect(names).not.toContain(removed.name);
    await kept.remove();
  });
});

describe.skipIf('missing' in redis)('the Redis of the run', () => {
  test('gives each an empty database of its own, also one that was used before', async () => {
    const [one, other] = [await redisService(), await redisService()];
    if ('missing' in one || 'missing' in other) throw new Error('Redis has gone');
    expect(one.url).not.toBe(other.url);
    const client = new Redis(one.url);
    await client.set('left', 'behind');
    client.disconnect();
    await giveBackRedis(one.url);
    const again = await redisService();
    expect(again).toEqual(one);
    const next = new Redis(one.url);
    expect(await next.dbsize()).toBe(0);
    next.disconnect();
  });

  // One that REDIS_TEST_URL names is as it is.
  test.skipIf(process.env.REDIS_TEST_URL)('evicts nothing and keeps what it took', async () => {
    if ('missing' in redis) return;
    const client = new Redis(redis.url);
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    client.disconnect();
  });
});

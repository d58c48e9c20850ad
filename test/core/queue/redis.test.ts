import { describe } from 'vitest';
import { startRedisServer } from '../../services/redis-server.ts';
import { giveBackRedis, redisService } from '../../services/services.ts';
import { queueContract } from './queue-contract.ts';

const redis = await redisService();

describe.skipIf('missing' in redis)('Redis', () => {
  if ('missing' in redis) return;

  queueContract('Redis', async () => ({ url: redis.url, close: () => giveBackRedis(redis.url) }));

  queueContract('A Redis Cluster', async () => {
    const server = await startRedisServer({ cluster: true });
    return { url: server.url, close: server.stop };
  });
});

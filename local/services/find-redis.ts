import { tryDocker } from './docker.ts';
import { isMissing, type Missing } from './missing.ts';
import { firstLineOf } from './own-process.ts';
import { isRedisReady, redisArguments, startSharedRedis } from './shared-redis.ts';

export type RedisService = { url: string };
export type Stop = () => Promise<void>;

/** REDIS_TEST_URL, else a Redis in Docker, else a process here. What was started is ended by what is put on `stops`. */
export async function findRedis(stops: Stop[]): Promise<RedisService | Missing> {
  if (process.env.REDIS_TEST_URL) return { url: process.env.REDIS_TEST_URL };
  const inDocker = await tryDocker(async (docker) => {
    const { address, stop } = await docker.run({
      service: 'redis',
      port: 6379,
      command: ['redis-server', ...redisArguments],
      isReady: isRedisReady,
    });
    return { url: `redis://${address}`, stop };
  });
  const redis = isMissing(inDocker) ? await startHere(inDocker) : inDocker;
  if (isMissing(redis)) return redis;
  stops.push(redis.stop);
  return { url: redis.url };
}

async function startHere(inDocker: Missing): Promise<(RedisService & { stop: Stop }) | Missing> {
  if (await firstLineOf('redis-server', ['--version'])) return startSharedRedis();
  const ways = 'run `npm run install:services`, start a Docker engine, or set REDIS_TEST_URL';
  return { missing: `redis-server is not in PATH: ${ways} (${inDocker.missing})` };
}

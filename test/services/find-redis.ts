import { findDocker } from './docker.ts';
import type { Missing, Stop } from './find-s3.ts';
import { firstLineOf } from './own-process.ts';
import { isRedisReady, redisArguments, startSharedRedis } from './shared-redis.ts';

export type RedisService = { url: string };

/** REDIS_TEST_URL, else a Redis in Docker, else a process here. What was started is ended by what is put on `stops`. */
export async function findRedis(stops: Stop[]): Promise<RedisService | Missing> {
  if (process.env.REDIS_TEST_URL) return { url: process.env.REDIS_TEST_URL };
  const docker = await findDocker();
  if (docker) {
    const { address, stop } = await docker.run({
      service: 'redis',
      port: 6379,
      command: ['redis-server', ...redisArguments],
      isReady: (hostPort) => isRedisReady(hostPort),
    });
    stops.push(stop);
    return { url: `redis://${address}` };
  }
  if (!(await firstLineOf('redis-server', ['--version']))) {
    return {
      missing:
        'redis-server is not in PATH: run `npm run install:services`, start a Docker engine, or set REDIS_TEST_URL',
    };
  }
  const redis = await startSharedRedis();
  stops.push(redis.stop);
  return { url: redis.url };
}

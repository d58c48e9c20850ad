import { Redis } from 'ioredis';

/**
 * Lends the numbered databases of one Redis server, each to one borrower at a time and empty. Number 0 is left alone, and
 * whatever else holds data that is not of this run: the server may be somebody's own.
 */
export type RedisDatabases = {
  /** @returns the URL of an empty database. @throws Error when all are lent */
  lend(): Promise<string>;
  giveBack(url: string): Promise<void>;
};

export async function shareRedis(serverUrl: string): Promise<RedisDatabases> {
  const count = await withRedis(serverUrl, async (redis) =>
    Number(((await redis.config('GET', 'databases')) as string[])[1]),
  );
  const givenBack: number[] = [];
  let lent = 0;
  const urlOf = (number: number) => Object.assign(new URL(serverUrl), { pathname: `/${number}` }).href;
  return {
    async lend() {
      const returned = givenBack.shift();
      if (returned !== undefined) {
        await withRedis(urlOf(returned), (redis) => redis.flushdb());
        return urlOf(returned);
      }
      while (++lent < count) {
        if ((await withRedis(urlOf(lent), (redis) => redis.dbsize())) === 0) return urlOf(lent);
      }
      throw new Error(`All ${count} databases of Redis are lent or hold data: start it with --databases 1000`);
    },
    async giveBack(url) {
      givenBack.push(Number(new URL(url).pathname.slice(1)));
    },
  };
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

import { Redis } from 'ioredis';

/** Lends the numbered databases of one Redis server, each to one borrower at a time and empty. Number 0 is left alone. */
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
      const number = givenBack.shift() ?? ++lent;
      if (number >= count)
        throw new Error(`All ${count} databases of Redis are in use: start it with --databases 1000`);
      await withRedis(urlOf(number), (redis) => redis.flushdb());
      return urlOf(number);
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

import { Redis } from 'ioredis';

/**
 * Lends the numbered databases of one Redis server, each to one borrower at a time and empty. Number 0 is left alone, and
 * whatever else holds data that is not of this run: the server may be somebody's own.
 */
export type RedisDatabases = {
  /** @returns the URL of an empty database. @throws Error when all are lent */
  lend(): Promise<string>;
  giveBack(url: string): Promise<void>;
  /** Empties all that were lent, also those that nobody gave back. */
  empty(): Promise<void>;
};

export async function shareRedis(serverUrl: string): Promise<RedisDatabases> {
  const count = await withRedis(serverUrl, async (redis) =>
    Number(((await redis.config('GET', 'databases')) as string[])[1]),
  );
  const urlOf = (number: number) => Object.assign(new URL(serverUrl), { pathname: `/${number}` }).href;
  const ours = new Set<string>();
  const free: string[] = [];
  let last = 0;
  const flush = (url: string) => withRedis(url, (redis) => redis.flushdb());
  return {
    async lend() {
      const returned = free.shift();
      if (returned) {
        await flush(returned);
        return returned;
      }
      while (++last < count) {
        const url = urlOf(last);
        if ((await withRedis(url, (redis) => redis.dbsize())) > 0) continue;
        ours.add(url);
        return url;
      }
      throw new Error(`All ${count} databases of Redis are lent or hold data: start it with --databases 1000`);
    },
    async giveBack(url) {
      free.push(url);
    },
    async empty() {
      for (const url of ours) await flush(url);
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

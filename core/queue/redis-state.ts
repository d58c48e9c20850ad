import type { Redis } from 'ioredis';

/** What a Redis server says of itself. */
export type RedisState = {
  /** Its host and port. */
  address: string;
  version: string;
  /** Which of the servers that speak its language it is: Redis, Valkey, Dragonfly. */
  product: string;
  evictionPolicy: string;
  usedBytes: number;
  /** 0: as much as there is. */
  maxBytes: number;
  writesLog: boolean;
  /** Undefined where it may not be asked (CONFIG), as at most providers. */
  takesSnapshots: boolean | undefined;
  lastSnapshotFailed: boolean;
  isReplica: boolean;
  isClusterNode: boolean;
  latencyMs: number;
  /** How far its clock is before ours. */
  aheadMs: number;
};

/** Asks one server. Providers disable CONFIG, so all that matters is read from INFO. @throws Error if it does not answer */
export async function readRedisState(redis: Redis): Promise<RedisState> {
  const sentAt = Date.now();
  const begun = performance.now();
  const [seconds, microseconds] = await redis.time();
  const latencyMs = performance.now() - begun;
  // A user who may not call it can enqueue and consume all the same.
  const info = parseInfo(await redis.info().catch((error) => ifRefused(error, '')));
  const save = (await redis.config('GET', 'save').catch((error) => ifRefused(error, []))) as string[];
  const product = ['valkey', 'dragonfly'].find((name) => info.has(`${name}_version`)) ?? 'redis';
  return {
    address: `${redis.options.host}:${redis.options.port}`,
    version: (info.get(`${product}_version`) ?? '').replace(/^\D*/, ''),
    product: product[0]!.toUpperCase() + product.slice(1),
    evictionPolicy: info.get('maxmemory_policy') ?? '',
    usedBytes: Number(info.get('used_memory') ?? 0) - Number(info.get('mem_not_counted_for_evict') ?? 0),
    maxBytes: Number(info.get('maxmemory') ?? 0),
    writesLog: info.get('aof_enabled') === '1',
    takesSnapshots: save.length === 2 ? save[1] !== '' : undefined,
    lastSnapshotFailed: info.get('rdb_last_bgsave_status') === 'err',
    isReplica: info.get('role') === 'slave',
    isClusterNode: info.get('cluster_enabled') === '1',
    latencyMs,
    aheadMs: Number(seconds) * 1000 + Number(microseconds) / 1000 - (sentAt + latencyMs / 2),
  };
}

/** `name:value` lines, with headings that begin with a #. */
function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** @throws the error unless the server gave it as its answer */
function ifRefused<T>(error: Error, otherwise: T): T {
  if (error.name !== 'ReplyError') throw error;
  return otherwise;
}

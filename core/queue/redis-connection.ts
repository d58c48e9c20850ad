import { Cluster, type CommonRedisOptions, Redis } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';

export type RedisClient = Redis | Cluster;

/** Milliseconds. Of the connections that enqueue, where somebody waits. */
const ringing = { connectTimeout: 2_000, commandTimeout: 1_000, socketTimeout: 1_500 };
/** Milliseconds. BullMQ blocks for 10 seconds at most: a connection silent for longer is dead, whatever TCP makes of it. */
const answering = { connectTimeout: 5_000, socketTimeout: 15_000 };

/**
 * A connection for jobs: without one they fail at once instead of waiting in memory, and what has no answer within a second
 * fails too, together with the connection.
 */
export const connectToRing = (address: RedisAddress): RedisClient =>
  connect(address, { ...ringing, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false }, false);

/**
 * A connection for one worker: it waits for Redis for as long as it takes. BullMQ makes itself a second one of it, to block
 * on; `cut` ends both at once.
 */
export function connectToAnswer(address: RedisAddress): { connection: RedisClient; cut(): void } {
  const connection = connect(address, { ...answering, maxRetriesPerRequest: null }, true);
  const all = [connection];
  const duplicate = connection.duplicate as (...args: unknown[]) => RedisClient;
  const counted = (...args: unknown[]) => {
    const copy = duplicate.apply(connection, args).on('error', forgetCommand);
    all.push(copy);
    return copy;
  };
  return {
    connection: Object.assign(connection, { duplicate: counted }),
    cut() {
      for (const each of all) each.disconnect();
    },
  };
}

/** Connects once, to the one address of a cluster that is known, and gives why that fails. */
export async function tryConnection(address: RedisAddress): Promise<Error | undefined> {
  const { host, port, username, password, tls } = address;
  const redis = new Redis({ host, port, username, password, tls, ...ringing, retryStrategy: null, lazyConnect: true });
  let reason: Error | undefined;
  redis.on('error', (error) => {
    forgetCommand(error);
    reason = error;
  });
  await redis.connect().catch(() => {});
  redis.disconnect();
  return reason;
}

function connect(address: RedisAddress, given: CommonRedisOptions, enableOfflineQueue: boolean): RedisClient {
  const { host, port, username, password, database, tls } = address;
  const options = { ...given, username, password, tls, keepAlive: 10_000, reconnectOnError };
  if (!address.cluster) {
    const more = { host, port, db: database, retryStrategy: reconnectAfterMs, enableOfflineQueue };
    return new Redis({ ...options, ...more }).on('error', forgetCommand);
  }
  return new Cluster([{ host, port }], {
    redisOptions: options,
    clusterRetryStrategy: reconnectAfterMs,
    enableOfflineQueue,
    slotsRefreshTimeout: 2_000,
  }).on('error', forgetCommand);
}

/** The error of a refused password holds the command that sent it. */
function forgetCommand(error: Error & { command?: unknown; lastNodeError?: { command?: unknown } | null }): void {
  delete error.command;
  delete error.lastNodeError?.command;
}

/** A tenth of a second, doubled each time up to two seconds, and up to a tenth more: so that not all come back at once. */
export function reconnectAfterMs(times: number): number {
  return Math.min(100 * 2 ** Math.min(times - 1, 10), 2_000) * (1 + Math.random() / 10);
}

/** After a failover the old server lives on as a replica and refuses to write: the name leads to the new one by now. */
const reconnectOnError = (error: Error): boolean => /^(READONLY|UNBLOCKED|MASTERDOWN)/.test(error.message);

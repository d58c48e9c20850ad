import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findFreePort } from '../../local/free-port.ts';
import { type OwnProcess, startOwnProcess } from '../../local/services/own-process.ts';
import { isRedisReady } from '../../local/services/shared-redis.ts';

/** A Redis of one test's own, to be stopped, killed and emptied. */
export type RedisServer = {
  url: string;
  port: number;
  /** Runs a command over a connection of its own. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  /** Stops it from answering, as a machine that hangs does: connections stay, and new ones are taken and never served. */
  freeze(): void;
  thaw(): void;
  /** Ends it without any farewell; what it had is lost. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty, after kill(). */
  restart(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
};

/**
 * Starts a redis-server of PATH on a free port of 127.0.0.1; it ends with this process, also if this one is killed.
 * @param options.cluster makes it the only node of a Redis Cluster
 * @param options.args more arguments for it, which win over ours
 * @throws Error if there is none in PATH
 */
export async function startRedisServer({ cluster = false, args = [] as string[] } = {}): Promise<RedisServer> {
  const port = await findFreePort();
  const start = async (): Promise<OwnProcess> => {
    const own = await startOwnProcess({
      name: 'redis',
      program: 'redis-server',
      args: () => [...serverArguments(port, cluster), ...args],
      isReady: () => isRedisReady(port),
      deadlineMs: 30_000,
    });
    if (cluster) await takeAllSlots(port);
    return own;
  };
  let own = await start();
  const signal = (name: NodeJS.Signals) => process.kill(own.pid, name);
  const kill = async () => {
    signal('SIGKILL');
    await own.stop();
  };
  return {
    url: `redis://127.0.0.1:${port}${cluster ? '?cluster=true' : ''}`,
    port,
    command: (name, ...rest) => withRedis(port, (redis) => redis.call(name, ...rest)),
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    kill,
    async restart() {
      own = await start();
    },
    async stop() {
      // Unless it was killed before. One that is frozen would not end otherwise.
      await kill().catch(() => {});
    },
  };
}

const serverArguments = (port: number, cluster: boolean): string[] => [
  ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--maxmemory-policy', 'noeviction'],
  ...(cluster ? ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] : []),
];

async function takeAllSlots(port: number): Promise<void> {
  await withRedis(port, async (redis) => {
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
    while (!String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) await wait(20);
  });
}

async function withRedis<T>(port: number, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

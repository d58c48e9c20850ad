import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import { outageLog } from './outage-log.ts';
import { readRedisAddress } from './redis-address.ts';
import { connectToRing } from './redis-connection.ts';

export type RedisReply = string | number | boolean | (string | number | boolean)[];

/** Redis as a place where all processes count together. */
export type RedisCounter = {
  /** What its keys begin with. */
  prefix: string;
  /**
   * Sends one command, as rate-limit-redis asks for it. It fails at once while there is no connection, and within a second
   * when there is no answer.
   */
  send(...command: string[]): Promise<RedisReply>;
  close(): void;
};

/**
 * Opens a connection for counting, which comes back by itself.
 * @param url redis:// or rediss://, as docs/deploy.md says
 * @throws ConfigError when the URL holds a mistake
 */
export function openRedisCounter(url: string, log: Log): RedisCounter {
  const address = readRedisAddress(url);
  const connection = connectToRing(address);
  const heard = outageLog(log, 'connection for counting requests');
  connection.on('error', heard);
  const call = (name: string, ...args: string[]) => connection.call(name, ...args) as Promise<RedisReply>;
  const scripts = new Map<string, string>();

  /**
   * A script is known by its digest, so it need not be loaded to be named, and Redis may be away meanwhile. Where it is not
   * known yet (each node of a cluster has its own), it is sent as a whole; that goes where its key is.
   */
  async function run(digest: string, ...rest: string[]): Promise<RedisReply> {
    try {
      return await call('EVALSHA', digest, ...rest);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await call('EVAL', scripts.get(digest)!, ...rest);
    }
  }
  return {
    prefix: `${address.keyPrefix}:rate:`,
    async send(name, ...args) {
      if (name === 'EVALSHA') return await run(...(args as [string, ...string[]]));
      if (name !== 'SCRIPT') return await call(name, ...args);
      const script = args[1]!;
      const digest = createHash('sha1').update(script).digest('hex');
      scripts.set(digest, script);
      return digest;
    },
    close() {
      heard.stop();
      connection.disconnect();
    },
  };
}

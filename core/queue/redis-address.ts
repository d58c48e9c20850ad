import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { ConfigError } from '../config.ts';
import { unknownName } from '../nearest-name.ts';

/** Where Redis is, as a QUEUE_URL of redis:// or rediss:// says it. */
export type RedisAddress = {
  host: string;
  port: number;
  username: string | undefined;
  password: string | undefined;
  database: number;
  tls: ConnectionOptions | undefined;
  cluster: boolean;
  /**
   * What all keys begin with. The braces are the hash tag of Redis Cluster: it keeps all keys of the queues on one node,
   * which the scripts of BullMQ need.
   */
  keyPrefix: string;
};

const parameters = ['cluster', 'prefix'];

/**
 * Reads `redis://user:password@host:6379/0?cluster=true&prefix=name`.
 * @throws ConfigError with all mistakes; none of its lines holds the password
 */
export function readRedisAddress(text: string): RedisAddress {
  const url = new URL(text);
  const mistakes = [...new Set(url.searchParams.keys())]
    .filter((name) => !parameters.includes(name))
    .map((name) => unknownName('parameter', name, parameters));
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') mistakes.push('it names no host');
  const path = /^\/?(\d{0,5})$/.exec(url.pathname);
  if (!path) mistakes.push('its path is no number of a database, such as /0');
  const cluster = url.searchParams.get('cluster') ?? 'false';
  if (!['true', 'false'].includes(cluster)) mistakes.push('cluster must be true or false');
  const database = Number(path?.[1] ?? 0);
  if (cluster === 'true' && database !== 0) mistakes.push('a Redis Cluster has no other database than 0');
  const prefix = url.searchParams.get('prefix') ?? 'logferry';
  if (!/^[\w.-]{1,64}$/.test(prefix)) mistakes.push('prefix must be letters, digits, ".", "_" and "-"');
  if (![url.username, url.password].every(isEncoded)) {
    mistakes.push('a "%" in the user name or password is written as %25');
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes.map((mistake) => `QUEUE_URL: ${mistake}`));
  return {
    host,
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    database,
    tls: url.protocol === 'rediss:' ? tlsOptions(host) : undefined,
    cluster: cluster === 'true',
    keyPrefix: `{${prefix}}`,
  };
}

/**
 * The name is sent (SNI) and checked. The nodes of a cluster announce themselves by addresses that no certificate holds,
 * so they are asked for the same name. Authorities besides the system's come from NODE_EXTRA_CA_CERTS.
 */
const tlsOptions = (host: string): ConnectionOptions => (isIP(host) ? {} : { servername: host });

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

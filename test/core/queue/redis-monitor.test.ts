import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import { type Queue, QueueAwayError } from '../../../core/queue/queue.ts';
import { findFreePort } from '../../../local/free-port.ts';
import { openQueue } from '../../../prisma/open-queue.ts';
import { selfSignedCertificate } from '../../self-signed-certificate.ts';
import { type RedisServer, startRedisServer } from '../../services/redis-server.ts';
import { redisService } from '../../services/services.ts';

const redisThere = await redisService();

describe.skipIf('missing' in redisThere)('A queue in Redis', () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  const start = async (options?: { cluster?: boolean; args?: string[] }): Promise<RedisServer> => {
    const redis = await startRedisServer(options);
    ends.push(redis.stop);
    return redis;
  };
  const open = (url: string): Queue => {
    const queue = openQueue(url, makeLog('silent'));
    ends.push(queue.close);
    return queue;
  };
  const checked = async (queue: Queue) => {
    const begun = performance.now();
    const error = await queue.check().then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(performance.now() - begun).toBeLessThan(1700);
    return { error, isAway: error instanceof QueueAwayError };
  };
  const amiss = async (queue: Queue) => (await queue.inspect()).filter(({ level }) => level !== 'ok');

  it('is away where nobody listens, and says so of a server that takes connections and never answers', async () => {
    const refused = open(`redis://127.0.0.1:${await findFreePort()}`);
    expect(await checked(refused)).toMatchObject({
      isAway: true,
      error: { message: expect.stringMatching(/cannot be reached.*ECONNREFUSED/) },
    });
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    ends.push(async () => void silent.close());
    const { port } = silent.address() as { port: number };
    expect(await checked(open(`redis://127.0.0.1:${port}`))).toMatchObject({ isAway: true });
    expect(await amiss(open(`redis://127.0.0.1:${port}`))).toEqual([
      {
        level: 'failure',
        about: 'queue',
        text: expect.stringMatching(/does not answer|timed out/),
        remedy: expect.any(String),
      },
    ]);
  });

  it('is away while Redis hangs, and ready again a moment later', async () => {
    const redis = await start();
    const queue = open(redis.url);
    expect(await checked(queue)).toEqual({ error: undefined, isAway: false });
    redis.freeze();
    expect(await checked(queue)).toMatchObject({ isAway: true });
    redis.thaw();
    await expect.poll(async () => (await checked(queue)).error, { timeout: 10_000 }).toBeUndefined();
  });

  it('is away while Redis is full, and jobs are refused at once', async () => {
    const redis = await start();
    const queue = open(redis.url);
    await queue.check();
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
    expect(await checked(queue)).toMatchObject({ isAway: true, error: { message: expect.stringMatching(/full/) } });
    await expect(queue.enqueueExport('one')).rejects.toThrow(/OOM/);
    expect(await amiss(queue)).toContainEqual(
      expect.objectContaining({ level: 'failure', text: expect.stringMatching(/is full/) }),
    );
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await checked(queue)).toEqual({ error: undefined, isAway: false });
  });

  it('is unfit where Redis evicts, also once it is told to later', async () => {
    const redis = await start();
    const queue = open(redis.url);
    expect(await checked(queue)).toEqual({ error: undefined, isAway: false });
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await checked(queue)).toMatchObject({
      isAway: false,
      error: { message: expect.stringMatching(/allkeys-lru.*Set its maxmemory-policy to noeviction/) },
    });
  });

  it('is unfit where Redis is a replica', async () => {
    const primary = await start();
    const replica = await start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    const queue = open(replica.url);
    expect(await checked(queue)).toMatchObject({
      isAway: false,
      error: { message: expect.stringMatching(/is a replica/) },
    });
  });

  it('is unfit where a node of a cluster is not told to be one', async () => {
    const { port } = await start({ cluster: true });
    const queue = open(`redis://127.0.0.1:${port}`);
    expect(await checked(queue)).toMatchObject({
      isAway: false,
      error: { message: expect.stringMatching(/cluster=true/) },
    });
  });

  it.each([
    [
      'a wrong password',
      (port: number) => `redis://:hidden-guess@127.0.0.1:${port}`,
      /rejects the connection: WRONGPASS/,
    ],
    ['no password', (port: number) => `redis://127.0.0.1:${port}`, /rejects the connection: NOAUTH/],
    [
      'an unknown user',
      (port: number) => `redis://nobody:hidden-guess@127.0.0.1:${port}`,
      /rejects the connection: WRONGPASS/,
    ],
    [
      'a database that there is not',
      (port: number) => `redis://:right@127.0.0.1:${port}/99`,
      /rejects the connection: ERR DB index/,
    ],
  ])('is refused, which is no outage, with %s; nothing tells the password', async (_what, url, message) => {
    const redis = await start();
    await redis.command('CONFIG', 'SET', 'requirepass', 'right');
    const queue = open(url(redis.port));
    const { error, isAway } = await checked(queue);
    expect({ isAway, message: error?.message }).toEqual({ isAway: false, message: expect.stringMatching(message) });
    const told = [error, await queue.inspect(), await queue.enqueueExport('one').catch((thrown) => thrown)];
    for (const each of told) expect(everything(each)).not.toMatch(/hidden-guess/);
  });

  it('is refused by a cluster, which is no outage, with a wrong password', async () => {
    const redis = await start({ cluster: true });
    await redis.command('CONFIG', 'SET', 'requirepass', 'right');
    const queue = open(`redis://:hidden-guess@127.0.0.1:${redis.port}?cluster=true`);
    await expect.poll(async () => (await checked(queue)).error?.message).toMatch(/rejects the connection: WRONGPASS/);
  });

  it('is served with the right user, password, database and prefix', async () => {
    const redis = await start();
    await redis.command('ACL', 'SETUSER', 'ringer', 'on', '>p@ss/w', '~{blue}*', '+@all');
    const queue = open(`redis://ringer:p%40ss%2Fw@127.0.0.1:${redis.port}/3?prefix=blue`);
    await queue.enqueueExport('one');
    expect(await checked(queue)).toEqual({ error: undefined, isAway: false });
    expect(await redis.command('INFO', 'keyspace')).toMatch(/db3:keys=/);
  });

  it('tells that Redis keeps nothing on disk, without being unfit', async () => {
    const redis = await start();
    const queue = open(redis.url);
    expect(await checked(queue)).toEqual({ error: undefined, isAway: false });
    expect(await amiss(queue)).toEqual([
      expect.objectContaining({ level: 'warning', text: expect.stringMatching(/persists nothing/) }),
    ]);
    await redis.command('CONFIG', 'SET', 'appendonly', 'yes');
    expect(await amiss(queue)).toEqual([]);
  });

  it('works where CONFIG and INFO are forbidden, as far as it can be told', async () => {
    const redis = await start();
    await redis.command('ACL', 'SETUSER', 'default', '-config', '-info');
    const queue = open(redis.url);
    await queue.enqueueExport('one');
    expect(await checked(queue)).toEqual({ error: undefined, isAway: false });
    expect(await amiss(queue)).toEqual([
      expect.objectContaining({ level: 'warning', text: expect.stringMatching(/may not call INFO/) }),
    ]);
  });

  describe('over TLS', () => {
    let directory: string;
    let environment: Record<string, string>;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'logferry-tls-'));
      const { key, cert } = selfSignedCertificate('localhost');
      await writeFile(join(directory, 'key.pem'), key);
      await writeFile(join(directory, 'cert.pem'), cert);
      environment = { PATH: process.env.PATH!, NODE_EXTRA_CA_CERTS: join(directory, 'cert.pem') };
      return () => rm(directory, { recursive: true, force: true });
    });
    /** Node reads its authorities at its start, so the queue is opened in a process of its own. */
    const checkedBy = (url: string, env: Record<string, string>) =>
      execFileSync(process.execPath, [join(import.meta.dirname, 'check-queue.ts'), url], {
        env,
        encoding: 'utf8',
      }).trim();

    it.each([false, true])(
      'is served by those whose authority is known and whose name fits (cluster: %s)',
      async (cluster) => {
        const tlsPort = await findFreePort();
        const files = ['--tls-cert-file', join(directory, 'cert.pem'), '--tls-key-file', join(directory, 'key.pem')];
        const more = ['--tls-ca-cert-file', join(directory, 'cert.pem'), '--tls-auth-clients', 'no'];
        const forCluster = cluster ? ['--tls-cluster', 'yes'] : [];
        await start({ cluster, args: ['--tls-port', String(tlsPort), ...files, ...more, ...forCluster] });
        const parameters = cluster ? '?cluster=true' : '';
        expect(checkedBy(`rediss://localhost:${tlsPort}${parameters}`, environment)).toBe('ready');
        expect(checkedBy(`rediss://localhost:${tlsPort}${parameters}`, { PATH: process.env.PATH! })).toMatch(
          /^Error: .*rejects the connection: .*(self-signed|certificate)/,
        );
        // The certificate is for a name.
        if (!cluster)
          expect(checkedBy(`rediss://127.0.0.1:${tlsPort}`, environment)).toMatch(
            /^Error: .*rejects the connection: .*altnames/,
          );
      },
    );
  });
});

/** All that could be printed of a value, also what is not enumerable. */
function everything(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null || depth > 5) return String(value);
  return Object.getOwnPropertyNames(value)
    .map((name) => `${name}: ${everything((value as Record<string, unknown>)[name], depth + 1)}`)
    .join('\n');
}

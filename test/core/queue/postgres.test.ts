import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { PgPool } from 'bullmq';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeLog } from '../../../core/log.ts';
import { openPostgresQueue } from '../../../core/queue/postgres.ts';
import { type Queue, QueueAwayError } from '../../../core/queue/queue.ts';
import { findFreePort } from '../../../local/free-port.ts';
import { openQueuePool } from '../../../prisma/client.ts';
import { openQueue } from '../../../prisma/open-queue.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';
import { startFreezableProxy } from '../../freezable-proxy.ts';
import { queueContract } from './queue-contract.ts';

const silent = makeLog('silent');

queueContract('PostgreSQL', async () => {
  const { url, drop } = await createTestDatabase();
  return { url, close: drop };
});

describe('A queue in PostgreSQL', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase();
    admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });

  const checked = async (queue: Queue) => {
    const begun = performance.now();
    const error = await queue.check().then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(performance.now() - begun).toBeLessThan(1700);
    return { isAway: error instanceof QueueAwayError, message: error?.message };
  };
  const look = async (url: string) => {
    const queue = openQueue(url, silent);
    const found = await checked(queue);
    const amiss = (await queue.inspect()).filter(({ level }) => level !== 'ok');
    await queue.close();
    return { ...found, amiss: amiss.map(({ level, text }) => `${level}: ${text}`) };
  };

  it('hands jobs out within two seconds after its sessions were ended, twenty times', { timeout: 60_000 }, async () => {
    const queue = openQueue(database.url, silent);
    const heard: string[] = [];
    const worker = await queue.consume('exports', 2, async (id) => {
      heard.push(id);
      return { outcome: 'done' };
    });
    for (let round = 1; round <= 20; round++) {
      await admin.query(
        'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      const id = randomUUID();
      // The pool may not have noticed yet.
      await vi.waitFor(() => queue.enqueueExport(id), { timeout: 2000, interval: 20 });
      await vi.waitFor(() => expect(heard).toContain(id), { timeout: 2000, interval: 20 });
    }
    await worker.stop();
    await queue.close();
  });

  it('enqueues, and hands jobs out, as soon as the server lets it in that ended its first connections', async () => {
    const proxy = await startFreezableProxy(database.url);
    proxy.refuse();
    const queue = openQueue(proxy.url, silent);
    const heard: string[] = [];
    await expect(queue.enqueueExport('before')).rejects.toThrow();
    const worker = await queue.consume('exports', 1, async (id) => {
      heard.push(id);
      return { outcome: 'done' };
    });
    proxy.thaw();
    await queue.enqueueExport('after');
    // The first one may have been taken late, after its caller had given up.
    await vi.waitFor(() => expect(heard).toContain('after'), { timeout: 2000, interval: 20 });
    await worker.stop();
    await queue.close();
    await proxy.close();
  });

  it('stops to answer within half a second while it has never been let in', async () => {
    const proxy = await startFreezableProxy(database.url);
    proxy.refuse();
    const queue = openQueue(proxy.url, silent);
    const worker = await queue.consume('exports', 1, async () => ({ outcome: 'done' }));
    const begun = performance.now();
    await worker.stop();
    expect(performance.now() - begun).toBeLessThan(500);
    await queue.close();
    await proxy.close();
  });

  it('does not begin to answer where it is refused, and says why', async () => {
    const empty = await createTestDatabase({ empty: true });
    const queue = openQueue(empty.url, silent);
    await expect(queue.consume('exports', 1, async () => ({ outcome: 'done' }))).rejects.toThrow(/no tables yet/);
    await queue.close();
    await empty.drop();
  });

  it('says that it has no tables yet, which is no outage', async () => {
    const empty = await createTestDatabase({ empty: true });
    const message = 'The queue in PostgreSQL has no tables yet. Run "npm run migrate".';
    expect(await look(empty.url)).toEqual({ isAway: false, message, amiss: [`failure: ${message}`] });
    await empty.drop();
  });

  it('says that its tables are of an older version', async () => {
    const old = await createTestDatabase();
    const client = new pg.Client({ connectionString: old.url });
    await client.connect();
    await client.query('delete from bullmq.migration where version = (select max(version) from bullmq.migration)');
    await client.end();
    expect(await look(old.url)).toMatchObject({
      isAway: false,
      message: expect.stringMatching(/older version.*npm run migrate/),
    });
    await old.drop();
  });

  it('is refused, which is no outage, with a wrong password, which nothing tells', async () => {
    await admin.query(`create role ringer login password 'right'`);
    const url = Object.assign(new URL(database.url), { username: 'ringer', password: 'hidden-guess' }).href;
    const found = await look(url);
    await admin.query('drop role ringer');
    expect(found).toMatchObject({
      isAway: false,
      message: expect.stringMatching(/rejects the connection: password authentication failed/),
    });
    expect(JSON.stringify(found)).not.toMatch(/hidden-guess/);
  });

  it('is away where nobody listens, and where nothing answers', async () => {
    const nobody = Object.assign(new URL(database.url), { port: String(await findFreePort()) }).href;
    expect(await look(nobody)).toMatchObject({
      isAway: true,
      message: expect.stringMatching(/cannot be reached.*ECONNREFUSED/),
    });
    const proxy = await startFreezableProxy(database.url);
    proxy.freeze();
    expect(await look(proxy.url)).toMatchObject({ isAway: true });
    await proxy.close();
  });

  it('has nothing against its server, whose notifications come through', async () => {
    const queue = openQueue(database.url, silent);
    const findings = await queue.inspect();
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(findings.map(({ text }) => text).join('\n')).toMatch(
      /PostgreSQL 1\d.*\n.*clock.*\n.*ms\n.*notifications arrive/,
    );
    await queue.close();
  });

  it('warns of a pooler that lets no notification through, and hands jobs out all the same', async () => {
    const pool = openQueuePool(database.url);
    // As PgBouncer does where it pools transactions: LISTEN is taken, and forgotten with the session.
    pool.on('connect', (client) => void (client as EventEmitter).on('newListener', deafen));
    const queue = openPostgresQueue(pool as unknown as PgPool, silent);
    expect((await queue.inspect()).filter(({ level }) => level !== 'ok')).toEqual([
      expect.objectContaining({ level: 'warning', text: expect.stringMatching(/do not arrive/) }),
    ]);
    const heard: string[] = [];
    const worker = await queue.consume('exports', 1, async (id) => {
      heard.push(id);
      return { outcome: 'done' };
    });
    for (const id of ['one', 'two']) {
      await queue.enqueueExport(id);
      await vi.waitFor(() => expect(heard).toContain(id), 15_000);
    }
    await worker.stop();
    await queue.close();
    await pool.end();
  });
});

/** Nobody who waits for notifications on this client hears any. */
function deafen(this: EventEmitter, event: string, listener: (...args: unknown[]) => void): void {
  if (event === 'notification') setImmediate(() => this.removeListener('notification', listener));
}

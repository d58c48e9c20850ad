import { createServer } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, inTransaction, openDatabase } from '../../prisma/client.ts';
import { isOutage } from '../../prisma/outage.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );

describe('isOutage', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    database = openDatabase(testDatabase.url);
  });
  afterAll(async () => {
    await database.close();
    await testDatabase.drop();
  });

  it('is true when nothing listens at the address, through pg and through Prisma', async () => {
    const nobody = openDatabase('postgresql://postgres@127.0.0.1:1/nothing');
    expect(isOutage(await errorOf(nobody.pool.query('select 1')))).toBe(true);
    expect(isOutage(await errorOf(nobody.prisma.tenant.count()))).toBe(true);
    expect(isOutage(await errorOf(nobody.prisma.$transaction((tx) => tx.tenant.count())))).toBe(true);
    await nobody.close();
  });

  it('is true when the server ends the connection in the middle of a statement', async () => {
    const end = 'select pg_terminate_backend(pg_backend_pid())';
    expect(isOutage(await errorOf(database.pool.query(end)))).toBe(true);
    expect(isOutage(await errorOf(database.prisma.$queryRawUnsafe(end)))).toBe(true);
  });

  it('is true when the server has ended a transaction that stood still', async () => {
    const late = async (next: () => Promise<unknown>) => {
      const ended = `select from pg_stat_activity where query like '%stood still%' and state = 'idle in transaction'`;
      await expect.poll(async () => (await database.runs.query(ended)).rowCount).toBe(0);
      return next();
    };
    const standStill = `set local idle_in_transaction_session_timeout = 1; /* stood still */`;
    const ended = inTransaction(database.pool, async (sql) => {
      await sql(standStill);
      await late(() => sql('select 1'));
    });
    expect(isOutage(await errorOf(ended))).toBe(true);
    const endedInPrisma = database.prisma.$transaction(async (tx) => {
      await tx.$executeRawUnsafe(standStill);
      await late(() => tx.tenant.count());
    });
    expect(isOutage(await errorOf(endedInPrisma))).toBe(true);
  });

  it('is true when the server hangs up without a word', async () => {
    const rude = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    const { port } = rude.address() as { port: number };
    const hungUp = openDatabase(`postgresql://postgres@127.0.0.1:${port}/x`);
    expect(isOutage(await errorOf(hungUp.pool.query('select 1')))).toBe(true);
    expect(isOutage(await errorOf(hungUp.prisma.tenant.count()))).toBe(true);
    await hungUp.close();
    rude.close();
  });

  it('is true when no connection of the pool comes free in time', async () => {
    const pool = new pg.Pool({ connectionString: testDatabase.url, max: 1, connectionTimeoutMillis: 1000 });
    const client = await pool.connect();
    expect(isOutage(await errorOf(pool.query('select 1')))).toBe(true);
    client.release();
    await pool.end();
  });

  it('is false for mistakes in a statement and for other errors', async () => {
    expect(isOutage(await errorOf(database.pool.query('select nothing')))).toBe(false);
    expect(isOutage(await errorOf(database.prisma.$queryRawUnsafe('select 1/0')))).toBe(false);
    expect(isOutage(Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' }))).toBe(false);
    for (const other of [new Error('x'), null, undefined, 'text', { code: 7 }]) expect(isOutage(other)).toBe(false);
  });
});

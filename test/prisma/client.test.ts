import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../prisma/client.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';

describe('the pools', () => {
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

  const settingMs = async (pool: pg.Pool, name: string): Promise<number> =>
    Number((await pool.query('select setting from pg_settings where name = $1', [name])).rows[0].setting);

  it.each(['pool', 'runs'] as const)(
    'of %s end the transaction of a silent process before others give up',
    async (name) => {
      const pool = database[name];
      const silent = await settingMs(pool, 'idle_in_transaction_session_timeout');
      expect(silent).toBeGreaterThan(10_000);
      expect(silent).toBeLessThan(await settingMs(pool, 'lock_timeout'));
      expect(await settingMs(pool, 'lock_timeout')).toBeLessThan(await settingMs(pool, 'statement_timeout'));
    },
  );
});

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase, openQueuePool } from '../../prisma/client.ts';
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

  it('of all run in UTC, and the queue has its tables, whatever options the URL has; limits are those of the URL', async () => {
    const options = '-c TimeZone=Asia/Kolkata -c search_path=nowhere -c lock_timeout=7000 -c work_mem=9MB';
    const url = `${testDatabase.url}?options=${encodeURIComponent(options)}&sslmode=disable`;
    const opened = openDatabase(url);
    const queue = openQueuePool(url);
    const setting = async (pool: pg.Pool, name: string): Promise<string> =>
      (await pool.query('select current_setting($1) as value', [name])).rows[0].value;
    for (const pool of [opened.pool, opened.runs, opened.scans, queue]) {
      expect(await setting(pool, 'TimeZone')).toBe('UTC');
      expect(await setting(pool, 'work_mem')).toBe('9MB');
      expect(await setting(pool, 'lock_timeout')).toBe('7s');
    }
    expect(await setting(queue, 'search_path')).toBe('bullmq');
    expect(await setting(opened.scans, 'jit')).toBe('off');
    expect(await settingMs(opened.pool, 'statement_timeout')).toBe(await settingMs(database.pool, 'statement_timeout'));
    await queue.end();
    await opened.close();
  });
});

import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillEvents } from '../../bench/data-set.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';

/** Ends all sessions of a database before anything else happens in this process. */
function endSessions(databaseUrl: string): void {
  const program = `
    import pg from 'pg';
    const client = new pg.Client({ connectionString: ${JSON.stringify(databaseUrl)} });
    await client.connect();
    await client.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
    await client.end();`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: import.meta.dirname });
}

describe('Filling events', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('ends with the interruption, also when the server ends its connections at that very moment', async () => {
    const { signal } = new AbortController();
    signal.throwIfAborted = () => {
      endSessions(database.url);
      throw new Error('Interrupted.');
    };
    const plan = { tenantId: '01938d2e-0000-7000-8000-000000000001', rows: 1000 };
    const filling = fillEvents(database.url, { main: plan, others: [plan.tenantId], large: plan }, signal);
    await expect(filling).rejects.toThrow('Interrupted.');
  });
});

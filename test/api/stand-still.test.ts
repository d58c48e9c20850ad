import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { type FreezableProxy, startFreezableProxy } from '../freezable-proxy.ts';
import { type App, bodyOf, startApp } from './start-app.ts';

/** Instead of 20 seconds. */
const idleLimitMs = 1500;
const options = `-c idle_in_transaction_session_timeout=${idleLimitMs}`;

/** Two processes of one deployment; the line between the first and the database can be cut off in silence. */
describe('A process that stands still in the middle of a transaction', () => {
  let testDatabase: TestDatabase;
  let proxy: FreezableProxy;
  let still: App;
  let other: App;
  let holder: pg.Client;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    proxy = await startFreezableProxy(testDatabase.url);
    const settings = { LOGFERRY_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
    const stillUrl = `${proxy.url}?options=${encodeURIComponent(options)}`;
    still = await startApp({ ...settings, DATABASE_URL: stillUrl });
    other = await startApp({ ...settings, DATABASE_URL: testDatabase.url });
    holder = new pg.Client({ connectionString: testDatabase.url });
    await holder.connect();
  });
  afterAll(async () => {
    await holder.end();
    await still.close();
    await other.close();
    await proxy.close();
    await testDatabase.drop();
  });

  /** Sessions of the API that are in the midst of locking a chain, by what they do. */
  const locking = async (doing: 'wait for it' | 'hold it and are silent'): Promise<number> => {
    const condition = doing === 'wait for it' ? `wait_event_type = 'Lock'` : `state = 'idle in transaction'`;
    // Not by the holder: within a transaction what is seen of sessions stays as it was at first.
    const { rows } = await other.database.runs.query(
      `select count(*)::int from pg_stat_activity where datname = current_database() and application_name = 'logferry'
         and query like '%from chain_heads%for update%' and ${condition}`,
    );
    return rows[0].count;
  };

  it.each([
    ['POST /v1/events, in a transaction of pg', '/v1/events', { action: 'from.still' }, 201],
    ['POST /v1/exports, in a transaction of Prisma', '/v1/exports', { format: 'csv' }, 202],
  ])('loses it soon, and others go on: %s', async (_what, path, json, done) => {
    expect((await still.database.pool.query('show idle_in_transaction_session_timeout')).rows).toEqual([
      { idle_in_transaction_session_timeout: `${idleLimitMs}ms` },
    ]);
    const { tenant, key } = await still.newTenant();
    const [here, there] = [still.caller(key), other.caller(key)];
    await there('/v1/events', { json: { action: 'before' } });
    // Whoever is to be cut off with the lock in hand must be known to have it.
    await holder.query('begin');
    await holder.query('select from chain_heads where tenant_id = $1 for update', [tenant.id]);
    const replying = here(path, { json });
    await expect.poll(() => locking('wait for it')).toBe(1);
    proxy.freeze();
    await holder.query('commit');
    await expect.poll(() => locking('hold it and are silent'), { interval: 10 }).toBe(1);

    const asked = performance.now();
    expect((await there('/v1/events', { json: { action: 'from.other' } })).status).toBe(201);
    // As soon as it is ended, and not after TCP has given up.
    expect(performance.now() - asked).toBeLessThan(idleLimitMs + 2_000);
    expect(await locking('hold it and are silent')).toBe(0);

    proxy.thaw();
    const reply = await replying;
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await bodyOf(reply)).toMatchObject({ error: { type: 'unavailable' } });
    // Nothing of it has been kept, and what is asked again is done, many times at once.
    const again = await Promise.all(Array.from({ length: 20 }, () => here(path, { json })));
    expect(again.map(({ status }) => status)).toEqual(Array(20).fill(done));
    const { rows } = await holder.query('select action from events where tenant_id = $1 order by sequence_number', [
      tenant.id,
    ]);
    const mine = path === '/v1/events' ? 'from.still' : 'logferry.export.created';
    expect(rows.map(({ action }) => action)).toEqual(['before', 'from.other', ...Array(20).fill(mine)]);
    expect((await bodyOf(here('/v1/verify'))).data).toMatchObject({ status: 'valid', events_checked: 22 });
    expect(still.database.pool.idleCount).toBe(still.database.pool.totalCount);
  });
});

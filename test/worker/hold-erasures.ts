import pg from 'pg';
import { vi } from 'vitest';

/** Any number that nothing else locks. */
const lockKey = 711_712;

/**
 * Stops erasures where they are about to write that they have come past a number, so that their worker can be killed right
 * there. The statement then waits inside the database, as long as a batch may take.
 */
export async function holdErasures(databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  await client.query(`
    create table erasure_points (position bigint);
    create function hold_erasure() returns trigger language plpgsql as $$
      begin
        if exists (select from erasure_points p where new.position > p.position) then
          perform pg_advisory_xact_lock_shared(${lockKey});
        end if;
        return new;
      end $$;
    create trigger hold_erasure before update of position on erasures for each row execute function hold_erasure();
  `);
  return {
    /** From now on an erasure stops where it has come past this number. */
    async past(position: number): Promise<void> {
      await client.query(`select pg_advisory_lock(${lockKey})`);
      await client.query('insert into erasure_points values ($1)', [position]);
    },
    /** Waits until one has been stopped. */
    async reached(): Promise<void> {
      const waiting = `select from pg_locks where locktype = 'advisory' and objid = ${lockKey} and not granted
        and database = (select oid from pg_database where datname = current_database())`;
      await vi.waitFor(
        async () => {
          if ((await client.query(waiting)).rowCount === 0) throw new Error('No erasure is held');
        },
        { timeout: 60_000, interval: 5 },
      );
    },
    async release(): Promise<void> {
      await client.query('delete from erasure_points');
      await client.query(`select pg_advisory_unlock(${lockKey})`);
    },
    async close(): Promise<void> {
      await client.query('drop trigger hold_erasure on erasures');
      await client.query('drop function hold_erasure; drop table erasure_points');
      await client.end();
    },
  };
}

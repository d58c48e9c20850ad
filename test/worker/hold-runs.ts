import pg from 'pg';
import { vi } from 'vitest';

/** Any number that nothing else locks. */
const lockKey = 711_711;

/**
 * Stops runs of exports at chosen points, so that a process can be killed or stopped right there: where a given part's
 * checkpoint is being written, or where the export is being completed. The statement then waits inside the database.
 */
export async function holdRuns(databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl });
  // A test may kill the server.
  client.on('error', () => {});
  await client.connect();
  await client.query(`
    create table hold_points (export_id uuid, part_number integer);
    create table written_checkpoints (export_id uuid, part_number integer, epoch integer);
    create function hold_checkpoint() returns trigger language plpgsql as $$
      begin
        if exists (select from hold_points p where p.export_id = new.export_id and p.part_number = new.part_number) then
          perform pg_advisory_xact_lock_shared(${lockKey});
        end if;
        insert into written_checkpoints values (new.export_id, new.part_number, new.epoch);
        return new;
      end $$;
    create function hold_completion() returns trigger language plpgsql as $$
      begin
        if exists (select from hold_points p where p.export_id = new.id and p.part_number is null) then
          perform pg_advisory_xact_lock_shared(${lockKey});
        end if;
        return new;
      end $$;
    create trigger hold_checkpoint before insert on checkpoints for each row execute function hold_checkpoint();
    create trigger hold_completion before update on exports for each row
      when (new.status = 'completed' and old.status = 'running') execute function hold_completion();
  `);
  const waiting = async (): Promise<number[]> =>
    (
      await client.query<{ pid: number }>(
        // Of this database: the same suite runs beside this one, on another pair of engines, in the same server.
        `select pid from pg_locks where locktype = 'advisory' and objid = ${lockKey} and not granted
         and database = (select oid from pg_database where datname = current_database())`,
      )
    ).rows.map((row) => row.pid);
  return {
    /** From now on a run stops where it writes this part's checkpoint; without a part, where it completes the export. */
    async at(points: { exportId: string; part?: number }[]): Promise<void> {
      await client.query(`select pg_advisory_lock(${lockKey})`);
      await client.query('delete from hold_points');
      for (const { exportId, part } of points) {
        await client.query('insert into hold_points values ($1, $2)', [exportId, part ?? null]);
      }
    },
    /** Waits until this many runs have been stopped. */
    async reached(runs = 1): Promise<void> {
      await vi.waitFor(async () => {
        const held = (await waiting()).length;
        if (held < runs) throw new Error(`${held} of ${runs} runs are held`);
      }, holdPatience);
    },
    /** Lets the statements go on; they commit, whether anybody is left to hear of it or not. */
    async release(): Promise<void> {
      await client.query('delete from hold_points');
      await client.query(`select pg_advisory_unlock(${lockKey})`);
    },
    /** Breaks the statements off, as if they had never been sent. */
    async breakOff(): Promise<void> {
      for (const pid of await waiting()) await client.query('select pg_terminate_backend($1, 5000)', [pid]);
      await client.query('delete from hold_points');
      await client.query(`select pg_advisory_unlock(${lockKey})`);
    },
    /** Every checkpoint that was committed, by any run, in the order of writing. */
    async written(exportId: string): Promise<{ part: number; epoch: number }[]> {
      const { rows } = await client.query(
        'select part_number as part, epoch from written_checkpoints where export_id = $1 order by epoch, part_number',
        [exportId],
      );
      return rows;
    },
    close: () => client.end(),
  };
}

const holdPatience = { timeout: 25_000, interval: 10 };

export type HeldRuns = Awaited<ReturnType<typeof holdRuns>>;

import type pg from 'pg';

/** One change of an export, as the database made it. Times are milliseconds. */
export type Change = {
  exportId: string;
  at: number;
  from: string | null;
  to: string;
  epochBefore: number;
  epoch: number;
  failed: number;
  crashed: number;
};

/** Has the database write down every change of status, epoch and attempts from now on, in the transaction that makes it. */
export async function recordHistory(pool: pg.Pool): Promise<void> {
  await pool.query(`
    create table status_history (
      n bigserial, export_id uuid, at timestamptz default clock_timestamp(), from_status text, to_status text,
      epoch_before integer, epoch integer, failed integer, crashed integer);
    create function record_history() returns trigger language plpgsql as $$
      begin
        insert into status_history (export_id, from_status, to_status, epoch_before, epoch, failed, crashed)
        values (new.id, old.status, new.status, coalesce(old.epoch, 0), new.epoch,
          new.failures - coalesce(old.failures, 0), new.crashes - coalesce(old.crashes, 0));
        return null;
      end $$;
    create trigger record_history after insert or update of status, epoch, failures, crashes on exports
      for each row execute function record_history()`);
}

/** All changes of each export, oldest first. */
export async function readHistory(pool: pg.Pool): Promise<Map<string, Change[]>> {
  const { rows } = await pool.query<Change>(
    `select export_id as "exportId", extract(epoch from at)::float8 * 1000 as at, from_status as "from",
       to_status as "to", epoch_before as "epochBefore", epoch, failed, crashed
     from status_history order by n`,
  );
  return Map.groupBy(rows, (row) => row.exportId);
}

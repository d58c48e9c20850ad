import { ask, type Bench } from './bench.ts';

/** Has PostgreSQL write down when each checkpoint of an export came. */
export const recordCheckpoints = (bench: Bench): Promise<unknown> =>
  ask(
    bench,
    `create table if not exists bench_checkpoints (export_id uuid, rows bigint, at timestamptz default clock_timestamp());
     create or replace function bench_record() returns trigger language plpgsql as $$
     begin
       insert into bench_checkpoints (export_id, rows) values (new.export_id, new.rows);
       return null;
     end $$;
     create or replace trigger bench_record after insert on checkpoints for each row execute function bench_record()`,
  );

type Mark = { rows: number; seconds: number };

/** How long the first and the last tenth of an export took, between checkpoints by their shares. */
export async function tenthsOf(bench: Bench, exportId: string): Promise<{ first: number; last: number }> {
  const rows = await ask<{ rows: string; seconds: number }>(
    bench,
    `select c.rows, extract(epoch from c.at - e.run_started_at)::float as seconds
     from bench_checkpoints c join exports e on e.id = c.export_id where c.export_id = $1 order by c.rows`,
    [exportId],
  );
  const marks: Mark[] = [{ rows: 0, seconds: 0 }, ...rows.map((row) => ({ ...row, rows: Number(row.rows) }))];
  const all = marks.at(-1)!;
  return {
    first: secondsAt(marks, all.rows / 10),
    last: all.seconds - secondsAt(marks, (all.rows * 9) / 10),
  };
}

function secondsAt(marks: Mark[], rows: number): number {
  const next = marks.findIndex((mark) => mark.rows >= rows);
  if (next < 1) return 0;
  const [from, to] = [marks[next - 1]!, marks[next]!];
  return from.seconds + ((to.seconds - from.seconds) * (rows - from.rows)) / (to.rows - from.rows);
}

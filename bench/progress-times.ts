import { ask, type Bench } from './bench.ts';

/** Has PostgreSQL write down how far each export is and when, every time that its worker tells: once a second. */
export const recordProgress = (bench: Bench): Promise<unknown> =>
  ask(
    bench,
    `create table if not exists bench_progress (export_id uuid, rows bigint, at timestamptz default clock_timestamp());
     create or replace function bench_record() returns trigger language plpgsql as $$
     begin
       insert into bench_progress (export_id, rows) values (new.id, (new.progress ->> 'rows')::bigint);
       return null;
     end $$;
     create or replace trigger bench_record after update on exports for each row
       when (new.status in ('running', 'completed')) execute function bench_record()`,
  );

type Mark = { rows: number; seconds: number };

/** How long the first and the last tenth of an export took, between what its worker told by their shares. */
export async function tenthsOf(bench: Bench, exportId: string): Promise<{ first: number; last: number }> {
  const rows = await ask<{ rows: string; seconds: number }>(
    bench,
    `select p.rows, extract(epoch from p.at - e.run_started_at)::float as seconds
     from bench_progress p join exports e on e.id = p.export_id
     where p.export_id = $1 and p.at <= e.completed_at + interval '100 milliseconds' order by p.at`,
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

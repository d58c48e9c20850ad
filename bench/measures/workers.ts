import { type Bench, fewRounds, type Measure, timeOf } from '../bench.ts';
import { limitToFile } from '../contenders/export-contenders.ts';
import type { Deployment } from '../deployment.ts';
import { type Line, measured } from '../line.ts';
import { figures, type Sample, takeTurns } from '../rounds.ts';
import { removeExport, runExport } from '../run-export.ts';
import { ratioOf } from '../spread.ts';

/** P11: what a second worker brings, beside what twice as many clients of PostgreSQL itself bring. */
export const workers: Measure = { ids: ['P11'], engines: { queue: 'redis', storage: 'file' }, take };

const exportsAtATime = 4;

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const samples = await takeTurns(
    {
      one: () => withWorkers(bench, deployment, 1),
      two: () => withWorkers(bench, deployment, 2),
      limitTwo: () => limitAtATime(bench, exportsAtATime / 2),
      limitFour: () => limitAtATime(bench, exportsAtATime),
    },
    { rounds: fewRounds(bench), warmUp: false, signal: bench.signal },
  );
  bench.figures.workers = samples;
  const rate = (name: Sample[]) => figures(name, 'rowsPerSecond');
  const gain = ratioOf(rate(samples.limitFour), rate(samples.limitTwo)).median.toFixed(2);
  const beside = `${bench.limit.program} | gzip -1 gains ${gain} × from ${exportsAtATime / 2} to ${exportsAtATime} at a time`;
  return [measured('P11', ratioOf(rate(samples.two), rate(samples.one)), beside)];
}

async function withWorkers(bench: Bench, deployment: Deployment, count: number): Promise<Sample> {
  const { logs, size } = bench;
  await deployment.setWorkers(count);
  const caller = { ...logs.main, url: deployment.url };
  const all = async (request: object): Promise<number> => {
    const made = await Promise.all(Array.from({ length: exportsAtATime }, () => runExport(caller, request)));
    await Promise.all(made.map(({ id }) => removeExport(caller, id)));
    const [from, to] = [made.map((one) => one.created_at), made.map((one) => one.completed_at!)];
    return (Date.parse(to.sort().at(-1)!) - Date.parse(from.sort()[0]!)) / 1000;
  };
  const request = { format: 'csv', compression: 'gzip' };
  await all({ ...request, filter: { to: await timeOf(bench, logs.main, Math.ceil(size.rows / 10)) } });
  const seconds = await all(request);
  return { seconds, rowsPerSecond: (exportsAtATime * size.rows) / seconds };
}

async function limitAtATime(bench: Bench, count: number): Promise<Sample> {
  const { logs, size } = bench;
  const started = performance.now();
  const what = { log: logs.main, format: 'csv', throughRow: size.rows } as const;
  await Promise.all(Array.from({ length: count }, () => limitToFile(bench, what, '| gzip -1')));
  const seconds = (performance.now() - started) / 1000;
  return { seconds, rowsPerSecond: (count * size.rows) / seconds };
}

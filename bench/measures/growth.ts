import type { Size } from '../arguments.ts';
import { type Bench, type Measure, timeOf } from '../bench.ts';
import { limitToFile } from '../contenders/export-contenders.ts';
import type { Deployment } from '../deployment.ts';
import { type Line, measured, middle, seconds } from '../line.ts';
import { cpuSeconds, peakMib } from '../process-figures.ts';
import { recordProgress, tenthsOf } from '../progress-times.ts';
import { figures, type Sample, takeTurns } from '../rounds.ts';
import { removeExport, runExport } from '../run-export.ts';
import { ratioOf, spreadOf } from '../spread.ts';

/** P5 and P6: whether a row of a log ten times as long costs the same, in time and in memory. */
export const growth: Measure = { ids: ['P5', 'P6'], engines: { queue: 'redis', storage: 'file' }, take };

/** Two rounds of a long run take as long as five of the measured log, and short runs are to be short. */
const roundsOf = ({ rounds, largeRows }: Size): number => Math.min(largeRows > 1_000_000 ? 2 : 1, rounds);

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const { size, logs, signal } = bench;
  await recordProgress(bench);
  const tenth = Math.floor(size.largeRows / 10);
  const to = await timeOf(bench, logs.large, tenth);
  const samples = await takeTurns(
    {
      tenth: () => inFreshWorker(bench, deployment, { through: to, warmUpThrough: to }),
      whole: () => inFreshWorker(bench, deployment, { through: undefined, warmUpThrough: to }),
      limitTenth: () => limitToFile(bench, { log: logs.large, format: 'csv', throughRow: tenth }, '| gzip -1'),
      limitWhole: () => limitToFile(bench, { log: logs.large, format: 'csv', throughRow: size.largeRows }, '| gzip -1'),
    },
    { rounds: roundsOf(size), warmUp: false, signal },
  );
  bench.figures.growth = samples;
  const { tenth: part, whole } = samples;
  const perRow = (name: Sample[]) => name.map((sample) => sample.seconds! / sample.rows!);
  const times = (most: Sample[], least: Sample[]) =>
    ratioOf(figures(most, 'seconds'), figures(least, 'seconds')).median;
  const limitGrowth = times(samples.limitWhole, samples.limitTenth) / 10;
  return [
    measured('P5a', spreadOf(figures(whole, 'peakMib')), `${middle(figures(part, 'peakMib'), 'MiB')} for a tenth`),
    measured('P5b', ratioOf(figures(whole, 'peakMib'), figures(part, 'peakMib')), 'a worker for each, started anew'),
    measured('P6a', ratioOf(perRow(whole), perRow(part)), `${bench.limit.program} itself: ${limitGrowth.toFixed(2)} ×`),
    measured(
      'P6b',
      ratioOf(figures(whole, 'last'), figures(whole, 'first')),
      `${seconds(figures(whole, 'seconds'))} in all`,
    ),
  ];
}

/** A worker that has exported a tenth before, so that both begin warm. */
async function inFreshWorker(
  bench: Bench,
  deployment: Deployment,
  { through, warmUpThrough }: { through: string | undefined; warmUpThrough: string },
): Promise<Sample> {
  await deployment.setWorkers(1, { fresh: true });
  const worker = deployment.workers[0]!;
  const caller = { ...bench.logs.large, url: deployment.url };
  const request = (to: string | undefined) => ({ format: 'csv', compression: 'gzip', filter: { to } });
  await removeExport(caller, (await runExport(caller, request(warmUpThrough))).id);
  const cpu = cpuSeconds(worker.pid);
  const made = await runExport(caller, request(through));
  const { first, last } = await tenthsOf(bench, made.id);
  await removeExport(caller, made.id);
  const { seconds: took, rows, bytes } = made;
  const workerCpu = cpuSeconds(worker.pid) - cpu;
  return { seconds: took, rows, bytes, peakMib: peakMib(worker.pid), workerCpu, first, last };
}

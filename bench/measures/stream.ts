import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Log, Measure } from '../bench.ts';
import { limitToFile } from '../contenders/export-contenders.ts';
import type { Deployment } from '../deployment.ts';
import { type Line, measured, middle, seconds } from '../line.ts';
import { cpuSeconds, forgetPeak, memoryMib, peakMib } from '../process-figures.ts';
import { figures, type Sample, takeTurns } from '../rounds.ts';
import { ratioOf, spreadOf } from '../spread.ts';

/** P8: the stream of events out of a GET, beside COPY into a file. */
export const stream: Measure = { ids: ['P8'], engines: { queue: 'redis', storage: 'file' }, take };

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const { logs, size, signal } = bench;
  const samples = await takeTurns(
    {
      limit: () => limitToFile(bench, { log: logs.main, format: 'csv', throughRow: size.rows }),
      logferry: () => download(bench, deployment, logs.main),
    },
    { rounds: size.rounds, signal },
  );
  const large = await takeTurns(
    { logferry: () => download(bench, deployment, logs.large) },
    { rounds: 1, warmUp: false, signal },
  );
  bench.figures.stream = { ...samples, large: large.logferry };
  const { logferry, limit } = samples;
  const [us, them] = [figures(logferry, 'seconds'), figures(limit, 'seconds')];
  const peaks = figures(logferry, 'peakMib');
  const most = figures(large.logferry, 'peakMib');
  const before = middle(figures(logferry, 'beforeMib'), 'MiB');
  return [
    measured('P8a', ratioOf(us, them), `${seconds(us)} beside ${seconds(them)} of ${bench.limit.program}`),
    measured('P8b', spreadOf(figures(logferry, 'firstByteMs')), 'a client in a process of its own'),
    measured(
      'P8c',
      ratioOf(most, [spreadOf(peaks).median]),
      `${middle(most, 'MiB')} beside ${middle(peaks, 'MiB')}; ${before} before`,
    ),
  ];
}

async function download({ children, servers }: Bench, { url, api }: Deployment, log: Log): Promise<Sample> {
  const path = join(servers.directory, 'download.csv');
  forgetPeak(api.pid);
  const beforeMib = memoryMib(api.pid);
  const [apiCpu, postgresCpu] = [cpuSeconds(api.pid), cpuSeconds(servers.postgresPid)];
  const sample = await children.contend('download', { url: `${url}/v1/events/export?format=csv`, key: log.key, path });
  rmSync(path);
  return {
    ...sample,
    beforeMib,
    peakMib: peakMib(api.pid),
    apiCpu: cpuSeconds(api.pid) - apiCpu,
    postgresCpu: cpuSeconds(servers.postgresPid) - postgresCpu,
  };
}

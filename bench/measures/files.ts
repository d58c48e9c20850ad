import type { Bench, Measure } from '../bench.ts';
import { exportOnce, limitToFile } from '../contenders/export-contenders.ts';
import type { Deployment } from '../deployment.ts';
import { type Line, measured, seconds } from '../line.ts';
import { figures, type Sample, takeTurns } from '../rounds.ts';
import { ratioOf } from '../spread.ts';
import type { TargetId } from '../targets.ts';

/** P1 to P3: exports into files, beside COPY into files. */
export const files: Measure = { ids: ['P1', 'P2', 'P3'], engines: { queue: 'redis', storage: 'file' }, take };

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const { main: log } = bench.logs;
  const throughRow = bench.size.rows;
  await deployment.setWorkers(1);
  const ours = (format: string, compression: string) => () =>
    exportOnce(bench, deployment, { log, request: { format, compression } });
  const samples = await takeTurns(
    {
      'limit, CSV, gzip': () => limitToFile(bench, { log, format: 'csv', throughRow }, '| gzip -1'),
      'logferry, CSV, gzip': ours('csv', 'gzip'),
      'limit, CSV': () => limitToFile(bench, { log, format: 'csv', throughRow }),
      'logferry, CSV': ours('csv', 'none'),
      'limit, JSON': () => limitToFile(bench, { log, format: 'json', throughRow }),
      'logferry, NDJSON': ours('ndjson', 'none'),
    },
    { rounds: bench.size.rounds, signal: bench.signal },
  );
  bench.figures.files = samples;
  const line = (id: TargetId, name: Sample[], limit: Sample[]): Line => {
    const [us, them] = [figures(name, 'seconds'), figures(limit, 'seconds')];
    return measured(id, ratioOf(us, them), `${seconds(us)} beside ${seconds(them)} of ${bench.limit.program}`);
  };
  return [
    line('P1', samples['logferry, CSV, gzip'], samples['limit, CSV, gzip']),
    line('P2', samples['logferry, CSV'], samples['limit, CSV']),
    line('P3', samples['logferry, NDJSON'], samples['limit, JSON']),
  ];
}

import { type Bench, fewRounds, type Measure } from '../bench.ts';
import { exportOnce } from '../contenders/export-contenders.ts';
import type { Deployment } from '../deployment.ts';
import { type Line, measured, middle, seconds } from '../line.ts';
import { figures, type Sample, takeTurns } from '../rounds.ts';
import { ratioOf } from '../spread.ts';
import type { TargetId } from '../targets.ts';

/** P4: beside what others write, all into S3. */
export const textbook: Measure = { ids: ['P4'], engines: { queue: 'redis', storage: 's3' }, take };

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const { children, servers, size, logs } = bench;
  await deployment.setWorkers(1);
  const { service, bucket } = servers.s3 as Extract<typeof servers.s3, { bucket: unknown }>;
  const job = {
    databaseUrl: servers.databaseUrl,
    tenantId: logs.main.id,
    throughRow: size.rows,
    s3: service,
    bucket: bucket.name,
  };
  const request = { format: 'csv', compression: 'gzip' };
  const ours = () => exportOnce(bench, deployment, { log: logs.main, request });
  await ours(); // The others are warm within their first seconds, of the many that they take.
  const samples = await takeTurns(
    {
      logferry: ours,
      pages: () => children.contend('textbook-pages', job),
      stream: () => children.contend('textbook-stream', job),
    },
    { rounds: fewRounds(bench), warmUp: false, signal: bench.signal },
  );
  bench.figures.textbook = samples;
  const line = (id: TargetId, other: Sample[]): Line => {
    const [us, them] = [figures(samples.logferry, 'seconds'), figures(other, 'seconds')];
    const memory = middle(figures(other, 'peakMib'), 'MiB');
    return measured(id, ratioOf(them, us), `${seconds(us)} beside ${seconds(them)}, with ${memory} of memory`);
  };
  return [line('P4a', samples.pages), line('P4b', samples.stream)];
}

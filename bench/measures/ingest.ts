import { type Bench, durationMs, type Measure } from '../bench.ts';
import { type Deployment, loopDelayMs } from '../deployment.ts';
import { type Line, measured, middle } from '../line.ts';
import { cpuSeconds } from '../process-figures.ts';
import { figures, takeTurns } from '../rounds.ts';
import { spreadOf } from '../spread.ts';

/** P10: events coming in, beside the same inserted without chain, checks and HTTP. */
export const ingest: Measure = { ids: ['P10'], engines: { queue: 'redis', storage: 'file' }, take };

async function take(bench: Bench, { url, api, setWorkers }: Deployment): Promise<Line[]> {
  await setWorkers(0);
  const { children, servers, logs, size, signal } = bench;
  const forMs = durationMs(bench);
  const keys = logs.posted.map(({ key }) => key);
  const samples = await takeTurns(
    {
      limit: () => children.contend('limit-ingest', { databaseUrl: servers.databaseUrl, clients: keys.length, forMs }),
      async logferry() {
        await loopDelayMs(api);
        const [apiCpu, postgresCpu] = [cpuSeconds(api.pid), cpuSeconds(servers.postgresPid)];
        const sample = await children.contend('ingest', { url, keys, forMs });
        return {
          ...sample,
          apiCpu: cpuSeconds(api.pid) - apiCpu,
          postgresCpu: cpuSeconds(servers.postgresPid) - postgresCpu,
          apiDelayMs: await loopDelayMs(api),
        };
      },
    },
    { rounds: size.rounds, signal },
  );
  bench.figures.ingest = samples;
  const limit = middle(figures(samples.limit, 'eventsPerSecond'), 'events/s');
  const delay = middle(figures(samples.logferry, 'apiDelayMs'), 'ms');
  return [
    measured(
      'P10',
      spreadOf(figures(samples.logferry, 'eventsPerSecond')),
      `${limit} by plain inserts; ${keys.length} clients, a tenant each; event loop kept ${delay} at most`,
    ),
  ];
}

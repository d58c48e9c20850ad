import { type Bench, type Measure, timeOf } from '../bench.ts';
import { limitToFile } from '../contenders/export-contenders.ts';
import type { Deployment, Engines } from '../deployment.ts';
import { type Line, measured, middle } from '../line.ts';
import { figures, takeTurns } from '../rounds.ts';
import { ratioOf, spreadOf } from '../spread.ts';
import type { TargetId } from '../targets.ts';

/** P7: how soon a small export is there, by either queue. */
export const smallByRedis = smallBy('redis', ['P7a', 'P7b']);
export const smallByPostgres = smallBy('postgres', ['P7c', 'P7d']);

const rows = 1_000;
const jobOf = async (bench: Bench, url: string) => {
  const { main } = bench.logs;
  const filter = { to: await timeOf(bench, main, rows) };
  return { url, key: main.key, request: { format: 'csv', filter }, times: timesOf(bench) };
};

/** Exports of a round, after a few to warm up. Short runs are to be short. */
const timesOf = ({ size }: Bench) => (size.rows < 50_000 ? 10 : 30);

function smallBy(queue: 'redis' | 'postgres', [p50, p95]: [TargetId, TargetId]): Measure {
  return {
    ids: [p50, p95],
    engines: { queue, storage: 'file' },
    async take(bench: Bench, { url, setWorkers }: Deployment): Promise<Line[]> {
      await setWorkers(1);
      const { children, logs, size, signal } = bench;
      const job = await jobOf(bench, url);
      const samples = await takeTurns(
        {
          logferry: () => children.contend('ask-small', job),
          limit: () => limitToFile(bench, { log: logs.main, format: 'csv', throughRow: rows }),
        },
        { rounds: size.rounds, warmUp: false, signal },
      );
      bench.figures[`small exports, ${queue}`] = samples;
      const limitMs = figures(samples.limit, 'seconds').map((seconds) => seconds * 1000);
      const beside = `${job.times} a round, one after the other; ${bench.limit.program} > file takes ${middle(limitMs, 'ms')}`;
      return [
        measured(p50, spreadOf(figures(samples.logferry, 'p50Ms')), beside),
        measured(p95, spreadOf(figures(samples.logferry, 'p95Ms')), beside),
      ];
    },
  };
}

const onePlace: Engines = { queue: 'postgres', storage: 'file' };

/** The same by `npm start`, in turns with separate processes on the same engines. */
export const smallTogether: Measure = {
  ids: ['P7e', 'P7f'],
  engines: { ...onePlace, together: true },
  async take(bench: Bench): Promise<Line[]> {
    const on = (engines: Engines) => async () => {
      const { url, setWorkers } = await bench.deployments.get(engines);
      await setWorkers(1);
      return bench.children.contend('ask-small', await jobOf(bench, url));
    };
    const samples = await takeTurns(
      { together: on(this.engines), apart: on(onePlace) },
      { rounds: bench.size.rounds, warmUp: false, signal: bench.signal },
    );
    bench.figures['small exports, npm start'] = samples;
    return (['p50Ms', 'p95Ms'] as const).map((name, index) => {
      const [together, apart] = [figures(samples.together, name), figures(samples.apart, name)];
      const ratio = ratioOf(together, apart).median.toFixed(2);
      const beside = `${middle(apart, 'ms')} by separate processes in turns: ${ratio} ×`;
      return measured(index === 0 ? 'P7e' : 'P7f', spreadOf(together), beside);
    });
  },
};

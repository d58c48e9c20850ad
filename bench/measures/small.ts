import { type Bench, type Measure, timeOf } from '../bench.ts';
import { limitToFile } from '../contenders/export-contenders.ts';
import type { Deployment } from '../deployment.ts';
import { type Line, measured, middle } from '../line.ts';
import { figures, takeTurns } from '../rounds.ts';
import { spreadOf } from '../spread.ts';
import type { TargetId } from '../targets.ts';

/** P7: how soon a small export is there, by either queue. */
export const smallByRedis = smallBy('redis', ['P7a', 'P7b']);
export const smallByPostgres = smallBy('postgres', ['P7c', 'P7d']);

const rows = 1_000;
/** Exports of a round, after a few to warm up. Short runs are to be short. */
const timesOf = ({ size }: Bench) => (size.rows < 50_000 ? 10 : 30);

function smallBy(queue: 'redis' | 'postgres', [p50, p95]: [TargetId, TargetId]): Measure {
  return {
    ids: [p50, p95],
    engines: { queue, storage: 'file' },
    async take(bench: Bench, { url, setWorkers }: Deployment): Promise<Line[]> {
      await setWorkers(1);
      const { children, logs, size, signal } = bench;
      const to = await timeOf(bench, logs.main, rows);
      const job = { url, key: logs.main.key, request: { format: 'csv', filter: { to } }, times: timesOf(bench) };
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

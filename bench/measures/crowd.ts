import { setTimeout as wait } from 'node:timers/promises';
import { type Caller, callApi } from '../../local/call-api.ts';
import { ask, type Bench, durationMs, type Measure, timeOf } from '../bench.ts';
import { type Deployment, type Engines, loopDelayMs } from '../deployment.ts';
import { type Line, measured, middle } from '../line.ts';
import { figures, type Sample, takeTurns } from '../rounds.ts';
import { runExport } from '../run-export.ts';
import { ratioOf, spreadOf } from '../spread.ts';
import type { TargetId } from '../targets.ts';

const exportsAtATime = 20;
/** Making and canceling them takes longer than looking. */
const mostRounds = 2;
const waitLimitMs = 60_000;
const lookEveryMs = 50;
/** Those who wait for the exports look seldom: they are not what is measured. */
const pollEveryMs = 2_000;

/** P9: what those notice who look at an export while twenty run in one worker, beside the same with none running. */
export const crowd: Measure = {
  ids: ['P9a', 'P9b', 'P9c'],
  engines: { queue: 'redis', storage: 'file' },
  take,
};

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const target = await makeTarget(bench, deployment);
  const samples = await takeTurns(
    {
      idle: () => look(bench, target, deployment),
      busy: () => lookAmongMany(bench, target, deployment),
    },
    { rounds: Math.min(mostRounds, bench.size.rounds), warmUp: false, signal: bench.signal },
  );
  bench.figures.crowd = samples;
  const { idle, busy } = samples;
  const beside = (name: string) => `${middle(figures(idle, name), 'ms')} with none running`;
  return [
    measured('P9a', spreadOf(figures(busy, 'p95Ms')), beside('p95Ms')),
    measured('P9b', spreadOf(figures(busy, 'apiDelayMs')), beside('apiDelayMs')),
    measured('P9c', spreadOf(figures(busy, 'workerDelayMs')), beside('workerDelayMs')),
  ];
}

const inPostgres: Engines = { queue: 'postgres', storage: 'file' };

/** The same by `npm start`, in turns with separate processes on the same engines. */
export const crowdTogether: Measure = {
  ids: ['P9d', 'P9e'],
  engines: { ...inPostgres, together: true },
  async take(bench: Bench): Promise<Line[]> {
    const on = (engines: Engines) => async () => {
      const deployment = await bench.deployments.get(engines);
      return lookAmongMany(bench, await makeTarget(bench, deployment), deployment);
    };
    const samples = await takeTurns(
      { together: on(this.engines), apart: on(inPostgres) },
      { rounds: Math.min(mostRounds, bench.size.rounds), warmUp: false, signal: bench.signal },
    );
    bench.figures['crowd, npm start'] = samples;
    const line = (id: TargetId, name: string) => {
      const [together, apart] = [figures(samples.together, name), figures(samples.apart, name)];
      const ratio = ratioOf(together, apart).median.toFixed(2);
      return measured(id, spreadOf(together), `${middle(apart, 'ms')} by separate processes in turns: ${ratio} ×`);
    };
    return [line('P9d', 'p95Ms'), line('P9e', 'apiDelayMs')];
  },
};

type Target = Caller & { id: string };

/** An export to look at, and a worker that has room for the crowd. */
async function makeTarget(bench: Bench, deployment: Deployment): Promise<Target> {
  const settings = { LOGFERRY_EXPORT_CONCURRENCY: String(exportsAtATime) };
  await deployment.setWorkers(1, { settings });
  // The large one, of which no export ends while it is looked at.
  const { large } = bench.logs;
  const caller = { ...large, url: deployment.url };
  // Made before the crowd, behind which it would have to wait.
  const { id } = await runExport(caller, { format: 'csv', filter: { to: await timeOf(bench, large, 1) } });
  return { ...caller, id };
}

const request = { format: 'csv', compression: 'gzip' };

/** Looks at an export again and again, for as long as it takes. */
async function look(bench: Bench, target: Target, { api, workers }: Deployment): Promise<Sample> {
  await Promise.all([loopDelayMs(api), loopDelayMs(workers[0]!)]);
  const sample = await bench.children.contend('look', { ...target, forMs: durationMs(bench) });
  const [apiDelayMs, workerDelayMs] = await Promise.all([loopDelayMs(api), loopDelayMs(workers[0]!)]);
  return { ...sample, apiDelayMs, workerDelayMs };
}

async function lookAmongMany(bench: Bench, target: Target, deployment: Deployment): Promise<Sample> {
  let isOver = false;
  // One that has ended makes room for the next, so that there are always as many.
  const one = async () => {
    while (!isOver) {
      const { id } = await callApi<{ id: string }>(target, '/v1/exports', { body: request });
      for (let status = 'queued'; /queued|running/.test(status); ) {
        if (isOver) await callApi(target, `/v1/exports/${id}/cancel`, { method: 'POST' }).catch(() => {});
        await wait(pollEveryMs);
        ({ status } = await callApi<{ status: string }>(target, `/v1/exports/${id}`));
      }
    }
  };
  const all = Promise.all(Array.from({ length: exportsAtATime }, one));
  all.catch(() => {});
  try {
    await untilManyRun(bench);
    return await look(bench, target, deployment);
  } finally {
    isOver = true;
    await all;
  }
}

/** All of them; in a run so small that they end while others are being made, as many as there will be. */
async function untilManyRun(bench: Bench): Promise<void> {
  const enough = bench.size.largeRows < 100_000 ? 1 : exportsAtATime;
  for (const deadline = Date.now() + waitLimitMs; Date.now() < deadline; await wait(lookEveryMs)) {
    const [row] = await ask<{ running: number }>(
      bench,
      `select count(*)::int as running from exports where status = 'running'`,
    );
    if (row!.running >= enough) return;
    bench.signal.throwIfAborted();
  }
  throw new Error(`${exportsAtATime} exports do not run at a time`);
}

import type { Evidence } from './evidence.ts';
import type { Life } from './fleet-member.ts';
import { recoveriesMs } from './recoveries.ts';

/** What a run came to, for people. */
export type Figures = Record<string, number | string>;

/** Counts what was done and what it cost. @param seconds of the disturbed phase and of all until the last export had ended */
export function figuresOf(evidence: Evidence, seconds: { disturbed: number; all: number }): Figures {
  const { orders, troubles, fleet, received } = evidence;
  const changes = [...evidence.history.values()].flat();
  const done = orders.filter(({ canceled }) => canceled !== 'accepted');
  const times = (fault: string, of: RegExp) =>
    troubles.filter((each) => each.fault === fault && of.test(each.of)).length;
  const parts = [...fleet.s3Requests.partsPut().values()].flatMap((counts) => [...counts.values()]);
  const lives = (members: typeof fleet.workers) => members.flatMap((member) => member.lives);
  const mostMib = (members: typeof fleet.workers) =>
    Math.round(Math.max(...lives(members).map(({ peakMiB }) => peakMiB)));
  return {
    'seconds disturbed': Math.round(seconds.disturbed),
    'seconds until all had ended': Math.round(seconds.all),
    'exports completed': done.length,
    'exports canceled': orders.length - done.length,
    'exports a minute': Math.round((orders.length / seconds.all) * 60),
    'workers killed': times('killed', /^worker/),
    'workers stopped': times('stopped', /^worker/),
    'workers frozen': times('frozen', /^worker/),
    'APIs killed': times('killed', /^api/),
    'APIs stopped': times('stopped', /^api/),
    'APIs frozen': times('frozen', /^api/),
    'Redis emptied, away, frozen': ['emptied', 'away', 'frozen'].map((fault) => times(fault, /^Redis/)).join(', '),
    'Postgres away, connections cut': ['away', 'connections cut'].map((fault) => times(fault, /^Postgres/)).join(', '),
    'S3 disturbed': times('disturbed', /^S3/),
    'runs taken over': changes.reduce((sum, { crashed }) => sum + crashed, 0),
    'runs failed': changes.reduce((sum, { failed }) => sum + failed, 0),
    'runs handed back': changes.filter(({ from, to, failed }) => from === 'running' && to === 'queued' && !failed)
      .length,
    'slowest recovery in seconds': Math.round(Math.max(0, ...recoveriesMs(evidence)) / 100) / 10,
    'slowest start in seconds': slowestStart([...fleet.apis, ...fleet.workers].flatMap(({ lives }) => lives)),
    'parts put': parts.reduce((sum, count) => sum + count, 0),
    'parts put again': parts.reduce((sum, count) => sum + count - 1, 0),
    'webhook messages received': received.length,
    'requests of clients': fleet.client.attempts.length,
    'of them 5xx, without reply': [
      fleet.client.attempts.filter(({ status }) => (status ?? 0) >= 500).length,
      fleet.client.attempts.filter(({ status }) => status === undefined).length,
    ].join(', '),
    'most MiB of a worker': mostMib(fleet.workers),
    'most MiB of an API': mostMib(fleet.apis),
  };
}

const slowestStart = (lives: Life[]): number =>
  Math.round(Math.max(...lives.map(({ startedAt, readyAt = startedAt }) => readyAt - startedAt)) / 100) / 10;

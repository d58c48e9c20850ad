import type { Audit, Evidence } from './evidence.ts';
import { runOf } from './fleet-member.ts';

/** Milliseconds in which an export goes on whose worker has died, by the contract of the API. */
const promisedMs = 30_000;

/**
 * For each run that was taken over from a killed worker, the milliseconds until then. They are counted from the kill on, or
 * from when somebody could have begun: another worker served, and neither Redis nor Postgres was away any more.
 */
export function recoveriesMs(evidence: Evidence): number[] {
  const killed = evidence.fleet.workers.flatMap(({ lives }) => lives).filter(({ told }) => told?.how === 'SIGKILL');
  return killed.flatMap(({ told, entries }) =>
    entries.flatMap((entry) => {
      const [exportId, epoch] = runOf(entry) ?? [];
      const moves = exportId === undefined ? undefined : evidence.history.get(exportId);
      const taken = moves?.find((move) => move.epochBefore === epoch && move.crashed > 0);
      if (!taken || taken.at < told!.at) return [];
      return [Math.max(0, taken.at - possibleFrom(evidence, told!.at, taken.at))];
    }),
  );
}

function possibleFrom({ fleet, troubles }: Evidence, killedAt: number, takenAt: number): number {
  const awayUntil = troubles
    .filter(({ of, to }) => (of === 'Redis' || of === 'Postgres') && to > killedAt && to < takenAt)
    .map(({ to }) => to);
  const servedFrom = fleet.workers
    .flatMap(({ lives }) => lives)
    .filter(({ told, end }) => (told?.at ?? end?.at ?? Infinity) > killedAt)
    .map(({ readyAt = Infinity }) => readyAt);
  return Math.max(killedAt, Math.min(...servedFrom), ...awayUntil);
}

/** Every run whose worker was killed went on in time. */
export const auditRecoveries: Audit = (evidence) =>
  recoveriesMs(evidence)
    .filter((ms) => ms > promisedMs)
    .map((ms) => `an export whose worker was killed went on after ${Math.round(ms)} ms`);

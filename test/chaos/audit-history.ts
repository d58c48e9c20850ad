import type { Audit, Evidence } from './evidence.ts';
import { wasTrouble } from './evidence.ts';
import { type Life, runsOf } from './fleet-member.ts';
import type { Change } from './status-history.ts';

/** The moves that an export may make, with what they do to its epoch and its counts of failures and of crashes. */
const moves = new Set([
  'null>queued +0 failed 0 crashed 0',
  'queued>running +1 failed 0 crashed 0',
  'running>running +1 failed 0 crashed 1',
  'running>queued +0 failed 0 crashed 0',
  'running>queued +0 failed 1 crashed 0',
  'running>completed +0 failed 0 crashed 0',
  'running>canceled +0 failed 0 crashed 0',
  'running>canceled +1 failed 0 crashed 0',
  'queued>canceled +1 failed 0 crashed 0',
]);

/** Every export has made allowed moves alone, the last of them to its end, and no attempt was counted without a cause. */
export const auditHistory: Audit = (evidence) =>
  [...evidence.history].flatMap(([id, changes]) =>
    changes.flatMap((change, index) => {
      const move = describe(change);
      const before = changes[index - 1];
      const run = { change, begunAt: before?.at ?? change.at };
      return [
        ...(moves.has(move) ? [] : [`${id}: ${move}`]),
        ...(before && change.from !== before.to ? [`${id}: a move from ${before.to} was not written down`] : []),
        ...(change.crashed > 0 && !hasCrashed(evidence, run) ? [`${id}: no worker has died, yet ${move}`] : []),
        ...(change.failed > 0 && !hasReasonToFail(evidence, run) ? [`${id}: nothing was disturbed, yet ${move}`] : []),
      ];
    }),
  );

const describe = ({ from, to, epoch, epochBefore, failed, crashed }: Change): string =>
  `${from}>${to} +${epoch - epochBefore} failed ${failed} crashed ${crashed}`;

/** What a run came to, and when it had begun. */
type EndedRun = { change: Change; begunAt: number };

/** Whether its worker was killed or stood still, or the database was away: then the run ends, and cannot say so. */
function hasCrashed(evidence: Evidence, run: EndedRun): boolean {
  const { exportId, epochBefore, at } = run.change;
  const time = { from: run.begunAt, to: at };
  if (wasTrouble(evidence, { of: 'Postgres' }, time)) return true;
  const holder = holderOf(evidence, exportId, epochBefore);
  // Killed before it could say what it had taken.
  if (!holder) return wasTrouble(evidence, { of: /^worker/, fault: 'killed' }, time);
  return (holder.told?.how === 'SIGKILL' && holder.told.at < at) || holder.frozen.some(({ from }) => from < at);
}

/** The process that has run an export under this epoch. */
const holderOf = ({ fleet }: Evidence, exportId: string, epoch: number): Life | undefined =>
  fleet.workers.flatMap(({ lives }) => lives).find((life) => runsOf(life).includes(`${exportId} ${epoch}`));

/** What S3 was made to do wrong waits for the next call of its kind. */
const hasReasonToFail = (evidence: Evidence, { change, begunAt }: EndedRun): boolean =>
  wasTrouble(evidence, { of: 'Postgres' }, { from: begunAt, to: change.at }) ||
  wasTrouble(evidence, { of: 'S3' }, { from: begunAt, to: change.at, graceMs: 60_000 });

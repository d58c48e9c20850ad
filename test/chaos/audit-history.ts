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
      const mistakes: string[] = [];
      if (!moves.has(move)) mistakes.push(`${id}: ${move}`);
      if (index > 0 && change.from !== changes[index - 1]!.to) mistakes.push(`${id}: a change was not written down`);
      if (change.crashed > 0 && !hasCrashed(evidence, change)) mistakes.push(`${id}: no worker has died, yet ${move}`);
      if (change.failed > 0 && !hasReasonToFail(evidence, change))
        mistakes.push(`${id}: nothing was disturbed, yet ${move}`);
      return mistakes;
    }),
  );

const describe = ({ from, to, epoch, epochBefore, failed, crashed }: Change): string =>
  `${from}>${to} +${epoch - epochBefore} failed ${failed} crashed ${crashed}`;

/** Whether the holder was killed or stood still, or could not be heard because the database was away. */
function hasCrashed(evidence: Evidence, { exportId, epochBefore, at }: Change): boolean {
  const leaseMs = Number(evidence.fleet.environment.LOGFERRY_LEASE_SECONDS) * 1000;
  const time = { from: at - leaseMs, to: at, graceMs: leaseMs };
  if (wasTrouble(evidence, { of: 'Postgres' }, time)) return true;
  const holder = holderOf(evidence, exportId, epochBefore);
  // Killed before it could say what it had taken.
  if (!holder) return wasTrouble(evidence, { of: /^worker/, fault: 'killed' }, { ...time, graceMs: 30_000 });
  return (holder.told?.how === 'SIGKILL' && holder.told.at < at) || holder.frozen.some(({ from }) => from < at);
}

/** The process that has run an export under this epoch. */
const holderOf = ({ fleet }: Evidence, exportId: string, epoch: number): Life | undefined =>
  fleet.workers.flatMap(({ lives }) => lives).find((life) => runsOf(life).includes(`${exportId} ${epoch}`));

/** A call to S3 is tried for half a minute before it fails. */
const hasReasonToFail = (evidence: Evidence, { at }: Change): boolean =>
  wasTrouble(evidence, { of: 'Postgres' }, { from: at, to: at, graceMs: 15_000 }) ||
  wasTrouble(evidence, { of: 'S3' }, { from: at, to: at, graceMs: 60_000 });

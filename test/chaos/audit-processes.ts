import { type Audit, type Evidence, wasTrouble } from './evidence.ts';
import type { Life } from './fleet-member.ts';

const stopWithinMs = 10_000;
/** MiB of a process, by what docs/scaling.md says that workers take: so much for itself, so much for each export. */
const memoryMib = { process: 250, export: 120 };

/** No process ended unless it was told to, those that were told did so in time, and none said what a sound one never says. */
export const auditProcesses: Audit = (evidence) => {
  const { apis, workers, environment } = evidence.fleet;
  const exportsAtATime = Number(environment.LOGFERRY_EXPORT_CONCURRENCY);
  const mostMib = memoryMib.process + memoryMib.export * exportsAtATime;
  const lives = [...apis, ...workers].flatMap((member) => member.lives);
  return [
    ...lives.flatMap((life) => auditLife(evidence, life)),
    ...lives
      .filter(({ peakMiB }) => peakMiB > mostMib)
      .map(({ member, peakMiB }) => `${member} took ${Math.round(peakMiB)} MiB, which is more than ${mostMib}`),
    ...evidence.stops
      .filter(({ how, from, to, afterMs }) => {
        // Whoever cannot say to the database what he leaves behind may end as a failure.
        const isExcused = wasTrouble(evidence, { of: 'Postgres' }, { from, to, graceMs: 3_000 });
        return (how !== 0 && !isExcused) || afterMs > stopWithinMs;
      })
      .map(({ member, how, afterMs }) => `${member} was stopped and ended with ${how} after ${afterMs} ms`),
  ];
};

function auditLife(evidence: Evidence, { member, startedAt, readyAt, end, told, lines, entries }: Life): string[] {
  const mistakes: string[] = [];
  // A process that finds no database when it starts says so and ends.
  const time = { from: startedAt, to: end?.at ?? startedAt, graceMs: 3_000 };
  const mayFailToStart = readyAt === undefined && wasTrouble(evidence, { of: 'Postgres' }, time);
  if (end && !told && !mayFailToStart) mistakes.push(`${member} ended by itself (${end.how})`);
  if (!mayFailToStart) mistakes.push(...lines.map((line) => `${member} wrote: ${line}`).slice(0, 5));
  const strange = entries.filter(({ level, msg }) => level >= 60 || /unhandled|uncaught/i.test(msg ?? ''));
  return [...mistakes, ...strange.map((entry) => `${member} logged: ${JSON.stringify(entry)}`)];
}

import { mkdir, writeFile } from 'node:fs/promises';
import type { Outcome } from './run-attack.ts';

const directory = new URL('../results/', import.meta.url);

/** Writes the outcomes as a table for people into test/results/abuse.md, and all figures beside it as JSON. */
export async function report(outcomes: readonly Outcome[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(new URL('abuse.md', directory), tableOf(outcomes));
  await writeFile(new URL('abuse.json', directory), `${JSON.stringify(outcomes, null, 1)}\n`);
}

const tableOf = (outcomes: readonly Outcome[]): string =>
  [
    '| attack | bound | bystander p50, p95, export (ms) | failed | API, worker (MiB) | attacker was told | recovered after (ms) |',
    '|---|---|---|---|---|---|---|',
    ...outcomes.map(({ attack, bound, bystander: by, peaks, attacker, recoveredAfterMs }) => {
      const told = Object.entries(attacker).map(([status, times]) => `${status} × ${times}`);
      const times = `${by.p50}, ${by.p95}, ${by.exportP95}`;
      return `| ${attack} | ${bound} | ${times} | ${by.failed.length} | ${peaks.api}, ${peaks.worker} | ${told.join(', ')} | ${recoveredAfterMs} |`;
    }),
    '',
  ].join('\n');

import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ask, type Bench } from './bench.ts';
import { type Line, shown, verdict } from './line.ts';
import type { Costs } from './measures/costs.ts';
import type { Sample } from './rounds.ts';
import { type Target, targetIds, targets } from './targets.ts';

/** Writes `table.md` and `figures.json` into the directory of results. @returns the table */
export async function report(bench: Bench, lines: Line[]): Promise<string> {
  const sorted = lines.toSorted((a, b) => targetIds.indexOf(a.id) - targetIds.indexOf(b.id));
  const machine = await machineOf(bench);
  const text = [
    `${bench.size.rows.toLocaleString('en')} events (the large log: ${bench.size.largeRows.toLocaleString('en')}), ` +
      `${bench.size.rounds === 1 ? '1 round' : `${bench.size.rounds} rounds after one to warm up`}; ${machine.cores} cores, ${machine.memoryGib} GiB, ` +
      `PostgreSQL ${machine.postgres}, Node ${machine.node}, all on one machine.`,
    '',
    ...tableOf(sorted),
    ...costTable(bench.figures.costs as Costs | undefined),
    '',
  ].join('\n');
  const { directory, profiles: _, ...size } = bench.size;
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'table.md'), text);
  const results = sorted.map((line) => ({ ...line, target: targets[line.id], verdict: verdict(line) }));
  const figures = { size, machine, results, figures: bench.figures };
  await writeFile(join(directory, 'figures.json'), `${JSON.stringify(figures, null, 2)}\n`);
  return text;
}

async function machineOf(bench: Bench) {
  const [server] = await ask<{ version: string }>(bench, `select current_setting('server_version') as version`);
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? '',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    postgres: server!.version,
    limit: bench.limit.program,
  };
}

const tableOf = (lines: Line[]): string[] => [
  '| # | measure | target | figure | from–to (rounds) | verdict | beside it |',
  '|---|---|---|---|---|---|---|',
  ...lines.map((line) => {
    const { id, figure, beside } = line;
    const { measure, bound, value, unit, against }: Target = targets[id];
    const target = `${bound} ${value.toLocaleString('en')} ${unit}${against ? ` ${escaped(against)}` : ''}`;
    const middle = figure ? `${shown(figure.median)} ${unit}` : '';
    const spread = figure ? `${shown(figure.least)}–${shown(figure.most)} (${figure.rounds})` : '';
    return `| ${id} | ${measure} | ${target} | ${middle} | ${spread} | ${verdict(line)} | ${escaped(beside)} |`;
  }),
];

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');

/** By the million rows, so that it can be multiplied. */
function costTable(costs: Costs | undefined): string[] {
  if (!costs) return [];
  const of = (sample: Sample, name: string, digits = 2) => ((sample[name]! * 1e6) / sample.rows!).toFixed(digits);
  const cpu = ['postgresCpu', 'workerCpu', 'apiCpu', 'redisCpu'];
  return [
    '',
    'Costs of a million rows, exported into S3:',
    '',
    '| export | CPU of PostgreSQL | of the worker | of the API | of Redis | bytes into S3 | requests to S3 | commands to Redis (one export) |',
    '|---|---|---|---|---|---|---|---|',
    ...Object.entries(costs).map(([name, sample]) =>
      [
        `| ${name}`,
        ...cpu.map((each) => `${of(sample, each)} s`),
        `${(sample.bytes! / sample.rows!).toFixed(0)} MB`,
        of(sample, 's3Requests', 0),
        `${sample.redisCommands} |`,
      ].join(' | '),
    ),
  ];
}

import type { Bench, Measure } from './bench.ts';
import { lackOf } from './deployment.ts';
import { type Line, notMeasured } from './line.ts';
import { costs } from './measures/costs.ts';
import { crowd, crowdTogether } from './measures/crowd.ts';
import { files } from './measures/files.ts';
import { growth } from './measures/growth.ts';
import { ingest } from './measures/ingest.ts';
import { smallByPostgres, smallByRedis, smallTogether } from './measures/small.ts';
import { stream } from './measures/stream.ts';
import { textbook } from './measures/textbook.ts';
import { workers } from './measures/workers.ts';
import { measureOf, targetIds } from './targets.ts';

/** In this order: those on the same engines share API and queue, and what adds many events comes last. */
const measures: Measure[] = [
  smallByPostgres,
  ...[smallTogether, crowdTogether, textbook, costs],
  ...[files, stream, smallByRedis, crowd, workers, growth, ingest],
];

/** Takes all measures, or those that were asked for. One that fails does not end the others. */
export async function runMeasures(bench: Bench): Promise<Line[]> {
  const lines: Line[] = [];
  for (const measure of measures.filter(isWanted(bench))) {
    bench.say(measure.ids.join(', '));
    const lack = lackOf(bench.servers, measure.engines);
    lines.push(...(lack ? without(measure, lack) : await takeOne(bench, measure)));
  }
  return lines;
}

const isWanted =
  ({ size }: Bench) =>
  ({ ids }: Measure): boolean =>
    size.only.length === 0 || ids.some((id) => size.only.some((wanted) => id === wanted || measureOf(id) === wanted));

async function takeOne(bench: Bench, measure: Measure): Promise<Line[]> {
  try {
    return await measure.take(bench, await bench.deployments.get(measure.engines));
  } catch (error) {
    bench.signal.throwIfAborted();
    bench.say(`failed: ${(error as Error).stack}`);
    // What it has left behind must not weigh on the next one.
    await bench.deployments.end();
    return without(measure, `it failed: ${(error as Error).message.split('\n')[0]}`);
  }
}

const without = ({ ids }: Measure, reason: string): Line[] =>
  targetIds.filter((id) => ids.includes(id) || ids.includes(measureOf(id))).map((id) => notMeasured(id, reason));

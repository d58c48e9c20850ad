import { hearStopSignals } from '../core/stop-signals.ts';
import type { Stop } from '../local/services/find-redis.ts';
import { benchHelp, readSize, type Size } from './arguments.ts';
import { openBench } from './bench.ts';
import { report } from './report.ts';
import { runMeasures } from './run-measures.ts';

const stopLimitMs = 30_000;

/** `npm run bench`: measures, prints the table, and ends all that it has started. */
async function main(size: Size): Promise<void> {
  const interruption = new AbortController();
  hearStopSignals(() => {
    interruption.abort(new Error('Interrupted.'));
    setTimeout(() => {
      process.stderr.write('Interrupted.\n');
      process.exit(1);
    }, stopLimitMs).unref();
  });
  const began = performance.now();
  const say = (line: string) =>
    process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
  const stops: Stop[] = [];
  // Servers that are being started or ended keep no process from ending.
  const alive = setInterval(() => {}, 1_000);
  try {
    const bench = await openBench({ size, signal: interruption.signal, say }, stops);
    const lines = await runMeasures(bench);
    interruption.signal.throwIfAborted();
    const table = await report(bench, lines);
    say('done');
    process.stdout.write(`\n${table}\n`);
  } catch (error) {
    // What is cut short fails in ways of its own: a server that Ctrl-C has ended as well does not answer any more.
    throw interruption.signal.aborted ? interruption.signal.reason : error;
  } finally {
    for (const stop of stops.reverse()) await stop().catch((error) => say(`not ended: ${error}`));
    clearInterval(alive);
  }
}

try {
  const size = readSize(process.argv.slice(2));
  if (size) await main(size);
  else process.stdout.write(benchHelp);
} catch (error) {
  const isForUser = error instanceof TypeError || (error as Error).message === 'Interrupted.';
  process.stderr.write(`${isForUser ? (error as Error).message : (error as Error).stack}\n`);
  process.exitCode = 1;
}

import { join } from 'node:path';
import { hearStopSignals } from '../../core/stop-signals.ts';
import { startLocal } from '../start-local.ts';
import { DemoError } from './demo-error.ts';
import { demoHelp, readDemoOptions } from './demo-options.ts';
import { moreLine } from './demo-text.ts';
import { runDemo } from './run-demo.ts';

/** Settings that a demo takes over from its environment. All others would lead it to somebody's real data. */
const keptSettings = /^LOGFERRY_(LOG_LEVEL|DATA|EXPORT_CONCURRENCY|EXPORT_READERS|SEGMENT_ROWS|PART_MIB)$/;
const stopDeadlineMs = 15_000;
const signalCodes = { SIGINT: 130, SIGTERM: 143 };

/** `npm run demo`: does the whole job once and ends. */
async function main(): Promise<number> {
  const source = readDemoOptions(process.argv.slice(2), callerDirectory());
  if (!source) {
    process.stdout.write(demoHelp);
    return 0;
  }
  const interruption = interruptions();
  const what = 'file' in source ? source.file : `${source.rows.toLocaleString('en')} made events`;
  process.stdout.write(`\nLogferry demo with ${what}\n\n`);
  const local = await startLocal(demoEnvironment());
  try {
    await runDemo({ local, screen: process.stdout, signal: interruption.signal }, source);
    printEnd();
    return 0;
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    process.stdout.write('\nInterrupted.\n');
    return signalCodes[interruption.signal.reason as keyof typeof signalCodes];
  } finally {
    await local.stop();
  }
}

function demoEnvironment(): Record<string, string | undefined> {
  const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => keptSettings.test(name)));
  return {
    LOGFERRY_DATA: join('.data', 'demo'),
    LOGFERRY_LOG_LEVEL: 'warn',
    ...kept,
    HOST: '127.0.0.1',
    PORT: '0',
    LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
  };
}

/** Where a relative file name starts: npm runs its scripts in the directory of package.json, not in the caller's. */
function callerDirectory(): string {
  const isNpm = process.env.npm_lifecycle_event === 'demo';
  return (isNpm && process.env.INIT_CWD) || process.cwd();
}

/** The first Ctrl-C or SIGTERM ends the demo in order; a second one, or too long an end, at once. */
function interruptions(): AbortController {
  const controller = new AbortController();
  hearStopSignals((signal) => {
    controller.abort(signal);
    setTimeout(() => process.exit(1), stopDeadlineMs).unref();
  });
  return controller;
}

function printEnd(): void {
  const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(`
${moreLine(`Peak memory of this process: ${peakMib} MiB (API and demo; the worker and Postgres run beside it)`)}
Try next
  npm start                              keeps it running, with a key and curl lines to try
  npm run demo -- --events FILE.ndjson   the same with your own events
  npm run demo -- --rows 1000000         the same with more
  README.md                              a tour with curl

`);
}

try {
  process.exit(await main());
} catch (error) {
  const isForUser = error instanceof Error && /^(Demo|Refused|Start|Config|Migration)Error$/.test(error.name);
  process.stderr.write(`${isForUser ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exit(error instanceof DemoError ? error.exitCode : 1);
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Exporting } from './export-fixture.ts';

type Entry = { msg?: string; [member: string]: unknown };

export type WorkerProcess = {
  pid: number;
  /** What it has logged so far. */
  entries: Entry[];
  /** The first entry with this message, now or when it comes; fails when the process ends without it. */
  logged(message: string): Promise<Entry>;
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void;
  /** Sends a signal, if one is given, and waits for the end of the process: its code, or the signal that ended it. */
  ended(name?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
};

/** What every worker of these tests is set to: small parts and short leases, so that little work makes many steps. */
export const workerSettings = {
  LOGFERRY_PART_MIB: '1',
  LOGFERRY_SEGMENT_ROWS: '1500',
  LOGFERRY_LEASE_SECONDS: '2',
  LOGFERRY_SWEEP_SECONDS: '1',
  LOGFERRY_EXPORT_CONCURRENCY: '4',
  LOGFERRY_EXPORT_READERS: '2',
};

/** A real worker process (worker/main.ts) beside the API of the test. */
export function startWorkerProcess({ deps }: Exporting, environment: Record<string, string> = {}): WorkerProcess {
  const { DATABASE_URL, STORAGE_URL, LOGFERRY_SECRET_KEY, PUBLIC_URL } = deps.config;
  const child = spawn(process.execPath, ['worker/main.ts'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL,
      STORAGE_URL,
      LOGFERRY_SECRET_KEY,
      PUBLIC_URL,
      LOGFERRY_LOG_LEVEL: 'info',
      LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
      ...workerSettings,
      ...environment,
    } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return watch(child);
}

/** Follows what a process logs, line by line, on standard error. */
export function watch(child: ChildProcess): WorkerProcess {
  const entries: Entry[] = [];
  const lines = createInterface({ input: child.stderr! });
  lines.on('line', (line) => entries.push(line.startsWith('{') ? JSON.parse(line) : { msg: line }));
  const exit = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals);
  const end = once(lines, 'close');
  return {
    pid: child.pid!,
    entries,
    async logged(message) {
      for (;;) {
        const found = entries.find((entry) => entry.msg === message);
        if (found) return found;
        const next = await Promise.race([once(lines, 'line'), end.then(() => undefined)]);
        if (!next) throw new Error(`The process ended without "${message}": ${JSON.stringify(entries)}`);
      }
    },
    signal: (name) => void child.kill(name),
    ended(name) {
      if (name) child.kill(name);
      return exit;
    },
  };
}

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

type Entry = { msg?: string; [member: string]: unknown };

export type WatchedProcess = {
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

/** Reads what a process of Logferry logs to standard error, which must be piped. */
export function watchProcess(child: ChildProcess): WatchedProcess {
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

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { nodeFlags } from '../../scripts/node-flags.ts';

/** A line of a log, as core/log.ts writes it. */
export type LogEntry = { level: number; time: string; msg?: string; [member: string]: unknown };

/** One process, from its start to its end. Times are milliseconds of the one clock that all of the fleet have. */
export type Life = {
  member: string;
  pid: number;
  startedAt: number;
  /** When it said that it serves. */
  readyAt?: number;
  entries: LogEntry[];
  /** What it wrote besides its log. */
  lines: string[];
  /** How it was told to end; whoever ends otherwise ended by itself. */
  told?: { how: NodeJS.Signals; at: number };
  frozen: { from: number; to: number }[];
  end?: { how: number | NodeJS.Signals; at: number };
  /** The most memory that it was seen to have. Linux alone tells it of another process. */
  peakMiB: number;
};

/** A place in the fleet: processes live there one after the other. */
export type Member = {
  name: string;
  lives: Life[];
  /** The process that lives there now, or did so last. */
  current(): Life;
  /** Whether it serves, and nothing is being done to it. */
  isServing(): boolean;
  /** Starts a process and waits until it serves; one that ends instead is started again, as any supervisor would. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGTERM. Gives how it ended, and after how many milliseconds. */
  stop(): Promise<{ how: number | NodeJS.Signals; afterMs: number }>;
  /** Lets it stand still for so long, as a machine does that swaps or is moved. */
  freeze(forMs: number): Promise<void>;
};

export type MemberProgram = { name: string; program: string; environment: Record<string, string>; says: string };

const startDeadlineMs = 90_000;
const startAgainMs = 500;
const root = join(import.meta.dirname, '../..');

/** Makes a place for a program of ours (api/main.ts), which logs `says` once it serves. */
export function fleetMember(options: MemberProgram): Member {
  const lives: Life[] = [];
  let child: ChildProcess;
  let ended: Promise<unknown>;
  const current = () => lives.at(-1)!;
  const end = async (how: NodeJS.Signals) => {
    const life = current();
    notePeak(life);
    life.told ??= { how, at: Date.now() };
    child.kill(how);
    await ended;
    return life;
  };
  return {
    name: options.name,
    lives,
    current,
    isServing() {
      const { readyAt, told, end: ending, frozen } = current();
      return readyAt !== undefined && !told && !ending && frozen.every(({ to }) => to < Infinity);
    },
    async start() {
      for (const deadline = Date.now() + startDeadlineMs; ; await wait(startAgainMs)) {
        const born = bear(options);
        lives.push(born.life);
        ({ child, ended } = born);
        await Promise.race([born.ready, ended]);
        if (born.life.readyAt !== undefined) return;
        if (Date.now() > deadline) throw new Error(`${options.name} does not start: ${born.life.lines.join('\n')}`);
      }
    },
    kill: async () => void (await end('SIGKILL')),
    async stop() {
      const { told, end: ending } = await end('SIGTERM');
      return { how: ending!.how, afterMs: ending!.at - told!.at };
    },
    async freeze(forMs) {
      const life = current();
      const pause = { from: Date.now(), to: Infinity };
      life.frozen.push(pause);
      child.kill('SIGSTOP');
      await wait(forMs);
      child.kill('SIGCONT');
      pause.to = Date.now();
    },
  };
}

/** Starts the process and writes its life down. */
function bear({ name, program, environment, says }: MemberProgram) {
  const child = spawn(process.execPath, [...nodeFlags(program), program], {
    cwd: root,
    env: { PATH: process.env.PATH, ...environment } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const watcher = watchOver(child.pid!);
  const life: Life = {
    member: name,
    pid: child.pid!,
    startedAt: Date.now(),
    entries: [],
    lines: [],
    frozen: [],
    peakMiB: 0,
  };
  const ready = Promise.withResolvers<void>();
  const lines = createInterface({ input: child.stderr! });
  lines.on('line', (line) => {
    const entry = readEntry(line);
    if (entry) life.entries.push(entry);
    else life.lines.push(line);
    if (entry?.msg !== says) return;
    life.readyAt = Date.now();
    ready.resolve();
  });
  const exit = once(child, 'exit').then(([code, signal]) => {
    life.end = { how: signal ?? code, at: Date.now() };
    watcher.kill('SIGKILL');
  });
  return { child, life, ready: ready.promise, ended: Promise.all([exit, once(lines, 'close')]) };
}

function readEntry(line: string): LogEntry | undefined {
  try {
    const entry = JSON.parse(line);
    return typeof entry === 'object' && entry !== null && 'level' in entry ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** The run whose begin this line of a worker's log tells of: export and epoch. */
export const runOf = ({ msg, export_id: id, epoch }: LogEntry): [exportId: string, epoch: number] | undefined =>
  msg === 'export started' ? [String(id), Number(epoch)] : undefined;

/** All runs that a worker has begun, as text: export, space, epoch. */
export const runsOf = ({ entries }: Life): string[] => entries.flatMap((entry) => runOf(entry)?.join(' ') ?? []);

/** A shell that outlives us if we are killed, of which it knows by the end of its input; one that stands still ends, too. */
function watchOver(pid: number): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', 'read -r _; kill -s KILL "$1"', 'sh', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return shell;
}

/** Writes down how much memory the process has had so far. */
export function notePeak(life: Life): void {
  if (process.platform !== 'linux' || life.end) return;
  try {
    const status = readFileSync(`/proc/${life.pid}/status`, 'utf8');
    const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
    life.peakMiB = Math.max(life.peakMiB, peak);
  } catch {
    // It has just ended.
  }
}

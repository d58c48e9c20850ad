import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export type OwnProcess = {
  pid: number;
  /** Ends it and whatever it has started, and removes its directory. Safe to call twice. */
  stop(): Promise<void>;
};

/** What is to run: `directory` of `args` and `environment` is one of its own, made here and removed at the end. */
export type Program = {
  name: string;
  program: string;
  /** Puts into the directory what has to be there at the start. */
  prepare?(directory: string): void;
  args(directory: string): string[];
  environment?(directory: string): Record<string, string>;
  /** Whether it can be used by now. What it throws counts as no. */
  isReady(): Promise<boolean>;
  deadlineMs: number;
};

const pollMs = 50;
const stopDeadlineMs = 5_000;

/**
 * Starts a server and returns once it is ready. It ends with this process, also if this one is killed.
 * @throws Error with the end of what it wrote, when it ends or is not ready in time
 */
export async function startOwnProcess(options: Program): Promise<OwnProcess> {
  const directory = mkdtempSync(join(tmpdir(), `logferry-test-${options.name}-`));
  options.prepare?.(directory);
  const logFile = join(directory, 'output.log');
  const output = openSync(logFile, 'a');
  const child = spawn(options.program, options.args(directory), {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: directory, TMPDIR: directory, ...options.environment?.(directory) },
    // A group of its own: a Ctrl-C reaches only us, and all of it can be ended at once.
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  const watcher = child.pid ? watchOver(child.pid, directory) : undefined;
  const stop = async () => {
    if (child.pid) await endGroup(child, ended);
    watcher?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(options, ended);
  } catch (error) {
    const log = readFileSync(logFile, 'utf8').trim().split('\n').slice(-10).join('\n');
    await stop();
    throw new Error(`${(error as Error).message}:\n${log}`, { cause: error });
  }
  child.unref();
  return { pid: child.pid!, stop };
}

async function untilReady({ name, isReady, deadlineMs }: Program, ended: Promise<void>): Promise<void> {
  const end = ended.then(() => 'ended' as const);
  for (const deadline = Date.now() + deadlineMs; Date.now() < deadline; ) {
    if (await isReady().catch(() => false)) return;
    if ((await Promise.race([end, wait(pollMs)])) === 'ended') throw new Error(`${name} did not start`);
  }
  throw new Error(`${name} was not ready within ${deadlineMs / 1000} s`);
}

async function endGroup(child: ChildProcess, ended: Promise<void>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(-child.pid!, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    await Promise.race([ended, wait(stopDeadlineMs, undefined, { ref: false })]);
  }
}

/** A shell that outlives us if we are killed, of which it knows by the end of its input. */
function watchOver(pid: number, directory: string): ChildProcess {
  const script = 'read -r _; kill -s KILL -- "-$1"; rm -rf -- "$2"';
  const shell = spawn('/bin/sh', ['-c', script, 'sh', String(pid), directory], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return shell;
}

/** The first line that a program prints, undefined if it fails or is not there. */
export async function firstLineOf(program: string, args: string[]): Promise<string | undefined> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close').catch(() => [1]);
  return code === 0 ? text.split('\n')[0]!.trim() : undefined;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isRunning } from './claim-directory.ts';
import type { Account } from './postgres-binaries.ts';

const pollMs = 10;
const startDeadlineMs = 60_000;
/** Between one signal and the next, harder one. */
const stopDeadlineMs = 10_000;
const maxLogBytes = 10 * 1024 * 1024;

/** Environment of the programs of Postgres: PGDATA, PGPORT and their like belong to another server. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && !name.startsWith('LC_'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * How a program is told its data directory. It starts in it, and on Linux it finds it through /proc, so that another account
 * needs no right to the directories above.
 */
export function dataDirectoryArguments(cluster: string, account: Account): string[] {
  return ['-D', account && process.platform === 'linux' ? '/proc/self/cwd' : cluster];
}

/**
 * Starts a server and returns once it takes connections. It runs in a session of its own, so that a Ctrl-C in the terminal
 * does not reach it before we have finished with it.
 * @throws Error with the end of its log when it does not come up.
 */
export async function startPostmaster(options: {
  program: string;
  cluster: string;
  account: Account;
  logFile: string;
  settings: Record<string, string>;
}): Promise<ChildProcess> {
  const { cluster, logFile } = options;
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes) truncateSync(logFile);
  const output = openSync(logFile, 'a', 0o600);
  const logStart = statSync(logFile).size;
  const settings = Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(options.program, [...dataDirectoryArguments(cluster, options.account), ...settings], {
    ...options.account,
    cwd: cluster,
    env: postgresEnvironment(),
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', () => {
    ended = true;
  });
  child.unref();
  for (const deadline = Date.now() + startDeadlineMs; Date.now() < deadline; await wait(pollMs)) {
    const state = readPostmasterFile(cluster);
    if (ended) break;
    if (state?.pid === child.pid && state?.ready) return child;
  }
  child.kill('SIGQUIT');
  const log = readFileSync(logFile).subarray(logStart).toString('utf8').trim().split('\n').slice(-5).join('\n');
  throw new Error(`The embedded Postgres did not start. Its log, ${logFile}, ends with:\n${log}`);
}

/** The server that a killed process left running on this cluster. Removes a postmaster.pid whose server is gone. */
export function findLeftover(cluster: string): number | undefined {
  const pid = readPostmasterFile(cluster)?.pid;
  if (pid === undefined) return undefined;
  if (isPostmaster(pid, cluster)) return pid;
  // Postgres itself would refuse to start if the id has gone to any other process meanwhile.
  rmSync(join(cluster, 'postmaster.pid'), { force: true });
  return undefined;
}

/**
 * Ends a server: fast shutdown (SIGINT), after 10 s at once (SIGQUIT: recovery at the next start, nothing committed is
 * lost), after 10 s more SIGKILL.
 */
export async function stopPostmaster(pid: number, cluster: string): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!isPostmaster(pid, cluster)) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    for (const deadline = Date.now() + stopDeadlineMs; Date.now() < deadline; await wait(pollMs)) {
      if (!isPostmaster(pid, cluster)) return;
    }
  }
}

/**
 * A shell that outlives us if we are killed, and then ends Postgres and removes what was temporary. It knows of our end by
 * the end of its input. To be killed after an orderly stop.
 */
export function watchOver(pid: number, cluster: string, temporary: string[]): ChildProcess {
  const script = [
    'read -r _; pid=$1; file=$2; shift 2',
    'if [ "$(head -n 1 "$file")" = "$pid" ]; then kill -INT "$pid"',
    'while [ -e "$file" ] && kill -0 "$pid"; do sleep 0.1; done; fi',
    '[ $# -eq 0 ] || rm -rf -- "$@"',
  ].join('; ');
  const arguments_ = [String(pid), join(cluster, 'postmaster.pid'), ...temporary];
  const shell = spawn('/bin/sh', ['-c', script, 'sh', ...arguments_], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return shell;
}

/** Lines of postmaster.pid, as pg_ctl reads them: the first is the process id, the eighth its status. */
function readPostmasterFile(cluster: string): { pid: number; ready: boolean } | undefined {
  try {
    const lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number.parseInt(lines[0] ?? '', 10);
    return Number.isNaN(pid) ? undefined : { pid, ready: lines[7]?.trim() === 'ready' };
  } catch {
    return undefined;
  }
}

function isPostmaster(pid: number, cluster: string): boolean {
  if (!isRunning(pid)) return false;
  if (process.platform !== 'linux') return readPostmasterFile(cluster)?.pid === pid;
  try {
    // Fails for a zombie too, which nobody may ever reap in a container.
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(cluster);
  } catch {
    return false;
  }
}

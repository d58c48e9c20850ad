import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { nodeFlags } from '../scripts/node-flags.ts';
import type { Sample } from './rounds.ts';

const root = join(import.meta.dirname, '..');
const startLimitMs = 60_000;

/** Everything that a run of the benchmark starts besides its servers. Nothing of it outlives the run. */
export type Children = {
  /** Runs a contender of Node to its end; what it measured. @throws Error when it fails */
  contend(name: string, job: object): Promise<Sample>;
  /** Runs a line of sh to its end. @throws Error when any command of it fails */
  shell(line: string): Promise<void>;
  /** Starts a program of ours and returns once it has logged `says`. @throws when the run is interrupted, too */
  serve(program: string, says: string, environment: Record<string, string>): Promise<Served>;
  endAll(): Promise<void>;
};

export type Served = { pid: number; end(): Promise<void> };

/** @param profiles where what is served writes its CPU profile, if it is wanted */
export function openChildren(signal: AbortSignal, profiles?: string): Children {
  const profiling = profiles ? ['--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`] : [];
  const running = new Set<ChildProcess>();
  const keep = (child: ChildProcess): ChildProcess => {
    const watcher = watchOver(child.pid!);
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
      watcher.kill('SIGKILL');
    });
    return child;
  };
  return {
    async contend(name, job) {
      const program = join('bench', 'contenders', `${name}.ts`);
      const child = keep(
        spawn(process.execPath, [...nodeFlags(program), program, JSON.stringify(job)], {
          cwd: root,
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        }),
      );
      let sample: Sample | undefined;
      child.once('message', (message) => {
        sample = message as Sample;
      });
      await successOf(child, name, signal);
      if (!sample) throw new Error(`${name} measured nothing`);
      return sample;
    },
    async shell(line) {
      // bash for pipefail: a psql that fails in front of a gzip is no fast one.
      const child = keep(spawn('bash', ['-c', `set -o pipefail; ${line}`], { stdio: ['ignore', 'ignore', 'inherit'] }));
      await successOf(child, line.slice(0, 80), signal);
    },
    async serve(program, says, environment) {
      signal.throwIfAborted();
      const child = keep(
        spawn(process.execPath, [...nodeFlags(program), ...profiling, program], {
          cwd: root,
          env: { PATH: process.env.PATH, ...environment } as NodeJS.ProcessEnv,
          stdio: ['ignore', 'ignore', 'pipe'],
        }),
      );
      await untilSaid(child, { program, says, signal });
      // What has a process of its own to end must end in order.
      const how = profiles || program.startsWith('local/') ? 'SIGTERM' : 'SIGKILL';
      return { pid: child.pid!, end: () => end(child, how) };
    },
    async endAll() {
      await Promise.all([...running].map((child) => end(child, 'SIGKILL')));
    },
  };
}

async function successOf(child: ChildProcess, name: string, signal: AbortSignal): Promise<void> {
  const [code, how] = await once(child, 'close', { signal });
  if (code !== 0) throw new Error(`${name} ended with ${how ?? code}`);
}

/** Its log goes on being read, so that it never waits for us; only what it said last is kept. */
async function untilSaid(
  child: ChildProcess,
  { program, says, signal }: { program: string; says: string; signal: AbortSignal },
): Promise<void> {
  const said: string[] = [];
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stderr! })
    .on('line', (line) => {
      said.push(line);
      if (said.length > 20) said.shift();
      if (line.includes(`"msg":"${says}"`)) ready.resolve();
    })
    .once('close', () => ready.reject(new Error(`${program} ended:\n${said.join('\n')}`)));
  const timer = setTimeout(() => ready.reject(new Error(`${program} does not start`)), startLimitMs);
  const interrupt = () => ready.reject(signal.reason);
  signal.addEventListener('abort', interrupt);
  await ready.promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
  });
}

/** At once where that does: they have nothing in hand, and orderly ends, made for load balancers, take seconds. */
async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** A shell that outlives us if we are killed, of which it knows by the end of its input. */
function watchOver(pid: number): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', 'read -r _; kill -s KILL "$1"', 'sh', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return shell;
}

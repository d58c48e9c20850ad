import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const node = join(root, 'node_modules', '.bin', 'node');

export type RunningProcess = {
  child: ChildProcess;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Waits until standard output holds the text. @throws when the process ends before, with all that it wrote */
  printed(text: string): Promise<void>;
  /** Waits for the end and gives the exit code, null if a signal ended it. */
  exitCode(): Promise<number | null>;
};

/** Runs a script of local/ as a process of its own, with no setting but the given ones. */
export const runLocal = (script: string, args: string[], env: Record<string, string>): RunningProcess =>
  run(node, [join(root, 'local', script), ...args], env);

/** Runs an npm script as a user would. */
export const runNpm = (script: string, env: Record<string, string>): RunningProcess => run('npm', ['run', script], env);

function run(program: string, args: string[], env: Record<string, string>): RunningProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(LOGFERRY_|PORT$|HOST$|DATABASE_URL$|QUEUE_URL$|STORAGE_URL$|PUBLIC_URL$|npm_|VITEST|NODE_ENV)/.test(name),
  );
  const child = spawn(program, args, {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    child.emit('printed');
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    async printed(text) {
      while (!stdout.includes(text)) {
        const ended = await Promise.race([once(child, 'printed').then(() => false), closed.then(() => true)]);
        if (ended && !stdout.includes(text)) throw new Error(`"${text}" was not printed.\n${stdout}\n${stderr}`);
      }
    },
    exitCode: async () => (await closed)[0],
  };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Runs a module in a process that does not end by itself, and returns with its first line. For tests that kill it. */
export async function startInAnotherProcess(script: string): Promise<{ child: ChildProcess; line: string }> {
  const lasting = `${script}\nsetInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', lasting], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, line };
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRunning } from '../../../local/postgres/claim-directory.ts';
import { firstLineOf, startOwnProcess } from '../../../local/services/own-process.ts';
import { startInAnotherProcess } from './start-in-another-process.ts';

/** A server that starts another process, as LocalStack does. */
const family = { name: 'family', program: '/bin/sh', args: () => ['-c', 'sleep 600 & echo "sleeps as $!"; wait'] };

describe('a process of the tests', () => {
  it('ends with its directory when the process that started it is killed', async () => {
    const { child, line } = await startInAnotherProcess(`
      import { startOwnProcess } from ${JSON.stringify(join(import.meta.dirname, '../../../local/services/own-process.ts'))};
      let directory;
      const { pid } = await startOwnProcess({
        name: 'killed', program: '/bin/sleep', args: (own) => { directory = own; return ['600']; },
        isReady: async () => true, deadlineMs: 5000,
      });
      console.log(JSON.stringify({ pid, directory }));`);
    const { pid, directory } = JSON.parse(line) as { pid: number; directory: string };
    expect(lives(pid)).toBe(true);
    child.kill('SIGKILL');
    await expect.poll(() => lives(pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => existsSync(directory), { timeout: 10_000 }).toBe(false);
  });

  it('is ended with its directory, and may be ended twice', async () => {
    let directory = '';
    const server = await startOwnProcess({
      ...family,
      environment: (own) => {
        directory = own;
        return {};
      },
      isReady: async () => true,
      deadlineMs: 5000,
    });
    expect(existsSync(directory)).toBe(true);
    await server.stop();
    await server.stop();
    expect(lives(server.pid)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  it('that does not start says why, in its own words', async () => {
    const failing = { name: 'failing', program: '/bin/sh', args: () => ['-c', 'echo no luck today; exit 3'] };
    const starting = startOwnProcess({ ...failing, isReady: async () => false, deadlineMs: 5000 });
    await expect(starting).rejects.toThrow('failing did not start:\nno luck today');
    const absent = { name: 'absent', program: '/nowhere/absent', args: () => [] };
    const never = startOwnProcess({ ...absent, isReady: async () => false, deadlineMs: 5000 });
    await expect(never).rejects.toThrow('absent did not start');
  });

  it('that is not ready in time is ended with what it has started', async () => {
    const starting = startOwnProcess({ ...family, isReady: async () => false, deadlineMs: 200 });
    const error = await starting.catch((reason: Error) => reason);
    expect((error as Error).message).toMatch(/family was not ready within 0.2 s:\nsleeps as \d+/);
    const sleeper = Number(/sleeps as (\d+)/.exec((error as Error).message)![1]);
    await expect.poll(() => lives(sleeper), { timeout: 10_000 }).toBe(false);
  });
});

describe('the first line of a program', () => {
  it('is what it prints, and nothing if it fails or is not there', async () => {
    expect(await firstLineOf('/bin/sh', ['-c', 'echo one; echo two'])).toBe('one');
    expect(await firstLineOf('/bin/sh', ['-c', 'echo one; exit 1'])).toBeUndefined();
    expect(await firstLineOf('/nowhere/absent', [])).toBeUndefined();
  });
});

/** Not so for a zombie, which nobody may ever reap in a container. */
function lives(pid: number): boolean {
  if (process.platform !== 'linux') return isRunning(pid);
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

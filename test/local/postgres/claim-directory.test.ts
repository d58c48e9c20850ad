import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { claimDirectory, isRunning } from '../../../local/postgres/claim-directory.ts';

it('takes over from a process that has ended, also when nobody has reaped it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'logferry-claim-'));
  // The shell becomes a program that waits for no children: the one that it began stays as a zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const zombie = Number(String((await once(parent.stdout, 'data'))[0]));
    await expect.poll(() => isRunning(zombie)).toBe(false);
    // The system still has it.
    process.kill(zombie, 0);
    await writeFile(join(directory, 'owner'), `${zombie} 1`);
    claimDirectory(directory)();
    expect(isRunning(parent.pid!)).toBe(true);
  } finally {
    parent.kill('SIGKILL');
    await rm(directory, { recursive: true });
  }
});

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryDocker } from '../../../local/services/docker.ts';
import { startInAnotherProcess } from './start-in-another-process.ts';

/** Runs nothing, and writes down what it was asked for: a Docker engine is what these tests must do without. */
const pretend = `#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
case $1 in
  info) echo 28.2.2 ;;
  run) [ ! -e "$(dirname "$0")/refuse" ] || { echo 'no such image' >&2; exit 125; }; echo c0ffee ;;
  port) printf '127.0.0.1:45678\\n[::1]:45678\\n' ;;
esac`;

describe('Services in Docker', () => {
  const { PATH } = process.env;
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'logferry-docker-'));
    writeFileSync(join(directory, 'docker'), pretend);
    chmodSync(join(directory, 'docker'), 0o755);
    process.env.PATH = [directory, PATH].join(delimiter);
  });
  afterEach(() => {
    process.env.PATH = PATH;
    rmSync(directory, { recursive: true, force: true });
  });

  const asked = () => readFileSync(join(directory, 'asked'), 'utf8').trim().split('\n');
  const container = {
    service: 'redis',
    port: 6379,
    command: ['redis-server', '--appendonly', 'yes'],
    environment: { MODE: 'test' },
    files: { '/here/hook': '/there/hook' },
    isReady: async (hostPort: number) => hostPort === 45678,
  };

  it('are of the images of docker-compose.yml, on a free port of this machine, and removed at the end', async () => {
    const started = await tryDocker((docker) => docker.run(container));
    if ('missing' in started) throw new Error(started.missing);
    expect(started.address).toBe('127.0.0.1:45678');
    await started.stop();
    expect(asked()).toEqual([
      'info --format {{.ServerVersion}}',
      'run --detach --rm --publish 127.0.0.1::6379 --env MODE=test --volume /here/hook:/there/hook:ro redis:8 redis-server --appendonly yes',
      'port c0ffee 6379/tcp',
      'rm --force --volumes c0ffee',
    ]);
  });

  it('are removed when the process that started them is killed', async () => {
    const { child } = await startInAnotherProcess(`
      import { tryDocker } from ${JSON.stringify(join(import.meta.dirname, '../../../local/services/docker.ts'))};
      await tryDocker((docker) => docker.run({ service: 'redis', port: 6379, isReady: async () => true }));
      console.log('started');`);
    expect(asked()).not.toContain('rm --force --volumes c0ffee');
    child.kill('SIGKILL');
    await expect.poll(asked).toContain('rm --force --volumes c0ffee');
  });

  it('are told to be missing when Docker cannot have them, and when there is no engine', async () => {
    writeFileSync(join(directory, 'refuse'), '');
    expect(await tryDocker((docker) => docker.run(container))).toEqual({
      missing: expect.stringMatching(/^Docker could not: .*no such image$/s),
    });
    process.env.PATH = '/nowhere';
    expect(await tryDocker((docker) => docker.run(container))).toEqual({ missing: 'no Docker engine answers' });
  });
});

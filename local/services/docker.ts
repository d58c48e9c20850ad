import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { Missing } from './missing.ts';
import { firstLineOf } from './own-process.ts';

const run = promisify(execFile);
const readyWithinMs = 120_000;

/** A service of docker-compose.yml to be run by itself: its image, with this port, command and environment. */
export type Container = {
  service: string;
  port: number;
  command?: string[];
  environment?: Record<string, string>;
  /** Files of this machine, and where the container has them. */
  files?: Record<string, string>;
  isReady(hostPort: number): Promise<boolean>;
};

export type Docker = {
  /** Starts a container on a free port of 127.0.0.1; it is removed by `stop`, or when this process is killed. */
  run(container: Container): Promise<{ address: string; stop(): Promise<void> }>;
};

/** Starts something in Docker, if an engine answers and can: it may have no access to the images. */
export async function tryDocker<T>(start: (docker: Docker) => Promise<T>): Promise<T | Missing> {
  const version = await firstLineOf('docker', ['info', '--format', '{{.ServerVersion}}']);
  if (!version) return { missing: 'no Docker engine answers' };
  try {
    return await start({ run: runContainer });
  } catch (error) {
    return { missing: `Docker could not: ${(error as Error).message.trim()}` };
  }
}

async function runContainer(container: Container) {
  const { service, port, command = [], environment = {}, files = {}, isReady } = container;
  const variables = Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const mounts = Object.entries(files).flatMap(([here, there]) => ['--volume', `${here}:${there}:ro`]);
  const publish = ['--publish', `127.0.0.1::${port}`];
  const { stdout } = await run('docker', [
    'run',
    '--detach',
    '--rm',
    ...publish,
    ...variables,
    ...mounts,
    imageOf(service),
    ...command,
  ]);
  const id = stdout.trim();
  const watcher = watchOver(id);
  const stop = async () => {
    await run('docker', ['rm', '--force', '--volumes', id]);
    watcher.kill('SIGKILL');
  };
  try {
    const address = (await run('docker', ['port', id, `${port}/tcp`])).stdout.split('\n')[0]!.trim();
    const hostPort = Number(new URL(`http://${address}`).port);
    for (const deadline = Date.now() + readyWithinMs; ; await wait(100)) {
      if (await isReady(hostPort).catch(() => false)) return { address, stop };
      if (Date.now() > deadline) throw new Error(`The container of ${service} was not ready within two minutes`);
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The image that docker-compose.yml names, so that tests and deployment cannot drift apart. */
function imageOf(service: string): string {
  const compose = parse(readFileSync(join(import.meta.dirname, '../../docker-compose.yml'), 'utf8'));
  return compose.services[service].image;
}

/** A shell that outlives us if we are killed, of which it knows by the end of its input. */
function watchOver(id: string) {
  const shell = spawn('/bin/sh', ['-c', 'read -r _; docker rm --force --volumes "$1"', 'sh', id], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return shell;
}

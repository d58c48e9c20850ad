import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { nodeFlags } from '../../scripts/node-flags.ts';
import { type WatchedProcess, watchProcess } from '../watch-process.ts';
import type { App } from './start-app.ts';

export type ApiProcess = WatchedProcess & {
  url: string;
  /** The most memory that the process has had, in MiB. Linux alone tells it of another process. */
  peakMemory(): Promise<number>;
};

const program = 'api/main.ts';

/** A real API process (api/main.ts) on a free port, with the database and the settings of the test's, and flags of Node's. */
export async function startApiProcess(
  { deps }: App,
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<ApiProcess> {
  const { DATABASE_URL, STORAGE_URL, LOGFERRY_SECRET_KEY, LOGFERRY_ADMIN_KEY } = deps.config;
  const child = spawn(process.execPath, [...nodeFlags(program), ...flags, program], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATABASE_URL,
      STORAGE_URL,
      LOGFERRY_SECRET_KEY,
      LOGFERRY_ADMIN_KEY,
      LOGFERRY_LOG_LEVEL: 'info',
      LOGFERRY_RATE_LIMIT: '0',
      ...environment,
    } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const watched = watchProcess(child);
  const { port } = await watched.logged('API listens');
  return {
    ...watched,
    url: `http://127.0.0.1:${port}`,
    async peakMemory() {
      const status = await readFile(`/proc/${watched.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1024;
    },
  };
}

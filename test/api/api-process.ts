import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nodeFlags } from '../../scripts/node-flags.ts';
import { type WatchedProcess, watchProcess } from '../watch-process.ts';
import type { App } from './start-app.ts';

export type ApiProcess = WatchedProcess & {
  url: string;
  /** The most memory that the process has had, in MiB. Linux alone tells it of another process. */
  peakMemory(): Promise<number>;
  /** How long its event loop was held at most since this was asked last, in milliseconds of CPU. */
  heldMs(): Promise<number>;
};

const program = 'api/main.ts';
const meter = pathToFileURL(join(import.meta.dirname, 'hold-meter.ts')).href;

/** A real API process (api/main.ts) on a free port, with the database and the settings of the test's, and flags of Node's. */
export async function startApiProcess(
  { deps }: App,
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<ApiProcess> {
  const { DATABASE_URL, STORAGE_URL, LOGFERRY_SECRET_KEY, LOGFERRY_ADMIN_KEY } = deps.config;
  const child = spawn(process.execPath, [...nodeFlags(program), `--import=${meter}`, ...flags, program], {
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
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const watched = watchProcess(child);
  const { port } = await watched.logged('API listens');
  return {
    ...watched,
    url: `http://127.0.0.1:${port}`,
    async heldMs() {
      child.send('How long?');
      const [ms] = await once(child, 'message');
      return ms;
    },
    async peakMemory() {
      const status = await readFile(`/proc/${watched.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1024;
    },
  };
}

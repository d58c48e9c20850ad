import { spawn } from 'node:child_process';
import { leastPartMib } from '../engines.ts';
import { type WatchedProcess, watchProcess } from '../watch-process.ts';
import type { Exporting } from './export-fixture.ts';

/** A worker that the test started. */
export type WorkerProcess = WatchedProcess;

/** What every worker of these tests is set to: small parts and short leases, so that little work makes many steps. */
export const workerSettings = {
  LOGFERRY_PART_MIB: String(leastPartMib),
  LOGFERRY_SEGMENT_ROWS: '1500',
  LOGFERRY_LEASE_SECONDS: '2',
  LOGFERRY_SWEEP_SECONDS: '1',
  LOGFERRY_EXPORT_CONCURRENCY: '4',
  LOGFERRY_EXPORT_READERS: '2',
};

/** What a worker must have in common with the API beside it. */
const shared = [
  'DATABASE_URL',
  'QUEUE_URL',
  'STORAGE_URL',
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_FORCE_PATH_STYLE',
  'LOGFERRY_SECRET_KEY',
  'PUBLIC_URL',
] as const;

/** A real worker process (worker/main.ts) beside the API of the test. */
export function startWorkerProcess({ deps }: Exporting, environment: Record<string, string> = {}): WorkerProcess {
  const { PATH, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  const given = shared.filter((name) => deps.config[name] !== undefined);
  const child = spawn(process.execPath, ['worker/main.ts'], {
    env: {
      ...{ PATH, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
      ...Object.fromEntries(given.map((name) => [name, String(deps.config[name])])),
      LOGFERRY_LOG_LEVEL: 'info',
      LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
      ...workerSettings,
      ...environment,
    } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return watchProcess(child);
}

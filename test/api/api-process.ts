import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type WorkerProcess, watch } from '../worker/worker-process.ts';
import type { Tenant } from './start-app.ts';

export type ApiProcess = WorkerProcess & {
  url: string;
  newTenant(): Promise<{ tenant: Tenant; key: string }>;
  /** Memory in MiB: what the process has now, and the most it has had. Linux alone tells it of another process. */
  memory(): Promise<{ now: number; peak: number }>;
  /** Ends the process, if it runs, and removes its folder. */
  close(): Promise<void>;
};

/** A real API process (api/main.ts), run as `npm run api` does, on a free port. */
export async function startApiProcess(databaseUrl: string): Promise<ApiProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'logferry-api-'));
  const adminKey = `test-admin-${randomBytes(12).toString('hex')}`;
  const child = spawn(process.execPath, ['--max-semi-space-size=8', '--heap-growing-percent=50', 'api/main.ts'], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATABASE_URL: databaseUrl,
      STORAGE_URL: pathToFileURL(directory).href,
      LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
      LOGFERRY_ADMIN_KEY: adminKey,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const running = watch(child);
  const url = `http://127.0.0.1:${(await running.logged('API listens')).port}`;
  const post = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
    const reply = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (reply.status !== 201) throw new Error(`${reply.status} ${await reply.text()}`);
    return reply.json();
  };
  return {
    ...running,
    url,
    async newTenant() {
      const tenant = (await post('/v1/tenants', { name: 'Tenant' })) as Tenant;
      const { key } = (await post('/v1/api-keys', { name: 'test', tenant_id: tenant.id })) as { key: string };
      return { tenant, key };
    },
    async memory() {
      const status = await readFile(`/proc/${running.pid}/status`, 'utf8');
      const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1024;
      return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
    },
    async close() {
      await running.ended('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

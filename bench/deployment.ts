import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Caller, callApi } from '../local/call-api.ts';
import { findFreePort } from '../local/free-port.ts';
import type { Children, Served } from './children.ts';
import type { Servers } from './servers.ts';

/** A process that tells figures of itself. */
export type Metered = Served & { metricsUrl: string };

/** Logferry on the engines that were asked for: one API process, and workers once they are set. */
export type Deployment = {
  url: string;
  api: Metered;
  workers: Metered[];
  /** Has so many workers with these settings (variables of docs/configuration.md). Those that have them already stay; `fresh` ends all. */
  setWorkers(count: number, options?: { settings?: Record<string, string>; fresh?: boolean }): Promise<void>;
  end(): Promise<void>;
};

/** `together`: by `npm start`, which has always one worker; otherwise as operators run it. */
export type Engines = { queue: 'redis' | 'postgres'; storage: 'file' | 's3'; together?: boolean };

/** The keys of all deployments of a run: the database remembers the one, tenants were made with the other. */
const keys = {
  LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
  LOGFERRY_ADMIN_KEY: `bench-admin-${randomBytes(12).toString('hex')}`,
};

/** Why a deployment cannot be, or undefined if it can. */
export function lackOf({ redis, s3 }: Servers, { queue, storage }: Engines): string | undefined {
  if (queue === 'redis' && 'missing' in redis) return `no Redis: ${redis.missing}`;
  if (storage === 's3' && 'missing' in s3) return `no S3: ${s3.missing}`;
  return undefined;
}

async function deploy(children: Children, servers: Servers, engines: Engines): Promise<Deployment> {
  const port = await findFreePort();
  const shared = { ...environmentOf(servers, engines), ...keys, PORT: String(port) };
  const url = `http://127.0.0.1:${port}`;
  return engines.together ? deployTogether(children, url, shared) : deployApart(children, url, shared);
}

type Settings = Record<string, string>;

/** One command is the whole of it: it has to begin anew for other settings. */
async function deployTogether(children: Children, url: string, shared: Settings): Promise<Deployment> {
  const WORKER_PORT = String(await findFreePort());
  let set = '{}';
  // The API, whose code is there already, listens long before the worker runs.
  const start = async (settings: Settings = {}): Promise<Metered> => ({
    ...(await children.serve('local/start.ts', 'worker runs', { ...shared, WORKER_PORT, ...settings })),
    metricsUrl: `${url}/metrics`,
  });
  const api = await start();
  return {
    url,
    api,
    workers: [{ ...api, metricsUrl: `http://127.0.0.1:${WORKER_PORT}/metrics` }],
    async setWorkers(_count, { settings = {}, fresh = false } = {}) {
      if (!fresh && set === JSON.stringify(settings)) return;
      await api.end();
      Object.assign(api, await start(settings));
      set = JSON.stringify(settings);
    },
    end: () => api.end(),
  };
}

async function deployApart(children: Children, url: string, shared: Settings): Promise<Deployment> {
  const workers: Metered[] = [];
  const addWorker = async (settings: Settings) => {
    const WORKER_PORT = String(await findFreePort());
    const served = await children.serve('worker/main.ts', 'worker runs', { ...shared, WORKER_PORT, ...settings });
    workers.push({ ...served, metricsUrl: `http://127.0.0.1:${WORKER_PORT}/metrics` });
  };
  let set = '{}';
  const endWorkers = async (from = 0) => {
    await Promise.all(workers.splice(from).map((worker) => worker.end()));
  };
  const api = { ...(await children.serve('api/main.ts', 'API listens', shared)), metricsUrl: `${url}/metrics` };
  return {
    url,
    api,
    workers,
    async setWorkers(count, { settings = {}, fresh = false } = {}) {
      const isSame = !fresh && set === JSON.stringify(settings);
      set = JSON.stringify(settings);
      await endWorkers(isSame ? count : 0);
      await Promise.all(Array.from({ length: count - workers.length }, () => addWorker(settings)));
    },
    async end() {
      await Promise.all([endWorkers(), api.end()]);
    },
  };
}

/** Defaults as docs/configuration.md has them, but for the rate limit: one key does here what many do elsewhere. */
function environmentOf({ databaseUrl, redis, s3, directory }: Servers, engines: Engines): Record<string, string> {
  const files = join(directory, 'files');
  mkdirSync(files, { recursive: true });
  return {
    DATABASE_URL: databaseUrl,
    LOGFERRY_RATE_LIMIT: '0',
    LOGFERRY_DATA: directory,
    LOGFERRY_LOG_LEVEL: 'info',
    ...(engines.queue === 'redis' && 'url' in redis ? { QUEUE_URL: redis.url } : {}),
    ...(engines.storage === 's3' && 'bucket' in s3 ? s3.bucket.environment : { STORAGE_URL: `file://${files}` }),
  };
}

/** Makes a tenant and a key for it. */
export async function makeTenant(url: string, name: string): Promise<Caller & { id: string }> {
  const admin = { url, key: keys.LOGFERRY_ADMIN_KEY };
  const { id } = await callApi<{ id: string }>(admin, '/v1/tenants', { body: { name, plan: 'enterprise' } });
  const { key } = await callApi<{ key: string }>(admin, '/v1/api-keys', { body: { name: 'bench', tenant_id: id } });
  return { url, key, id };
}

/** How long the event loop of a process was kept at most since this was asked last, in milliseconds. */
export async function loopDelayMs({ metricsUrl }: Metered): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1] ?? Number.NaN) * 1000;
}

/** The deployment that is up, or, on other engines, a new one in its place. */
export type Deployments = { get(engines: Engines): Promise<Deployment>; end(): Promise<void> };

const isSame = (one: Engines, other: Engines): boolean =>
  one.queue === other.queue && one.storage === other.storage && one.together === other.together;

/** Only one is up at a time: the workers of another would take its exports. */
export function openDeployments(children: Children, servers: Servers): Deployments {
  let up: { engines: Engines; deployment: Deployment } | undefined;
  const end = async () => {
    await up?.deployment.end();
    up = undefined;
  };
  return {
    end,
    async get(engines) {
      if (up && isSame(up.engines, engines)) return up.deployment;
      await end();
      up = { engines, deployment: await deploy(children, servers, engines) };
      return up.deployment;
    },
  };
}

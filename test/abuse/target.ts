import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openDatabase } from '../../prisma/client.ts';
import { nodeFlags } from '../../scripts/node-flags.ts';
import { addManyEvents } from '../add-events.ts';
import { createTestDatabase } from '../database.ts';
import { type WatchedProcess, watchProcess } from '../watch-process.ts';

/** What is attacked: an API and a worker, each with a heap of 600 MiB, a database, and files on disk. */
export type Target = {
  url: string;
  /** Has a log of many events, and exports them. */
  attacker: TargetTenant;
  bystander: TargetTenant;
  newTenant(name: string): Promise<TargetTenant>;
  /** The most memory that API and worker have had since the last call, in MiB. */
  peaks(): { api: number; worker: number };
  /** Fails if a process has ended. */
  stillRuns(): void;
  stop(): Promise<void>;
};

export type TargetTenant = { id: string; key: string };

const heapMib = 600;

/** @param events of the attacker's log */
export async function startTarget({ events }: { events: number }): Promise<Target> {
  const ends: (() => unknown)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await startOn(await makePlace(ends), events, ends)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A database and a folder of its own: what a deployment is told by its variables. */
async function makePlace(ends: (() => unknown)[]) {
  const database = await createTestDatabase();
  ends.push(database.drop);
  const files = await mkdtemp(join(tmpdir(), 'logferry-abuse-'));
  ends.push(() => rm(files, { recursive: true, force: true }));
  return {
    DATABASE_URL: database.url,
    STORAGE_URL: pathToFileURL(files).href,
    LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
    LOGFERRY_ADMIN_KEY: `test-admin-${randomBytes(12).toString('hex')}`,
    // An attacker with many keys is not held up by rates; without any limit, refused sign-ins would not be bounded either.
    LOGFERRY_RATE_LIMIT: '1000000',
    LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
  };
}

async function startOn(
  environment: Awaited<ReturnType<typeof makePlace>>,
  events: number,
  ends: (() => unknown)[],
): Promise<Omit<Target, 'stop'>> {
  const api = run('api/main.ts', { ...environment, PORT: '0' });
  ends.push(() => api.ended('SIGTERM'));
  const { port } = await api.logged('API listens');
  const url = `http://127.0.0.1:${port}`;
  const worker = run('worker/main.ts', { ...environment, PUBLIC_URL: url });
  ends.push(() => worker.ended('SIGTERM'));
  await worker.logged('worker runs');
  const newTenant = tenantMaker(url, environment.LOGFERRY_ADMIN_KEY);
  const attacker = await newTenant('Attacker');
  await fill(environment.DATABASE_URL, attacker.id, events);
  return {
    url,
    attacker,
    bystander: await newTenant('Bystander'),
    newTenant,
    peaks: () => ({ api: takePeak(api), worker: takePeak(worker) }),
    stillRuns() {
      for (const { pid } of [api, worker]) process.kill(pid, 0);
    },
  };
}

/** Gives the tenant a long log. What its own creation has written there gives way. */
async function fill(databaseUrl: string, tenantId: string, events: number): Promise<void> {
  const database = openDatabase(databaseUrl);
  try {
    await database.pool.query('delete from events where tenant_id = $1', [tenantId]);
    await addManyEvents(database, tenantId, { count: events, noiseBytes: 256 });
  } finally {
    await database.close();
  }
}

function run(program: string, environment: Record<string, string>): WatchedProcess {
  const flags = [...nodeFlags(program), `--max-old-space-size=${heapMib}`];
  const child = spawn(process.execPath, [...flags, program], {
    env: { PATH: process.env.PATH, LOGFERRY_LOG_LEVEL: 'info', ...environment } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return watchProcess(child);
}

function tenantMaker(url: string, adminKey: string): Target['newTenant'] {
  const made = async (path: string, body: object) => {
    const reply = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (reply.status !== 201) throw new Error(`${path} answered ${reply.status}: ${await reply.text()}`);
    return reply.json() as Promise<{ id: string; key: string }>;
  };
  return async (name) => {
    const { id } = await made('/v1/tenants', { name });
    const { key } = await made('/v1/api-keys', { name, tenant_id: id });
    return { id, key };
  };
}

/** Linux alone tells the memory of another process, and lets its peak begin anew. Elsewhere it is 0, which bounds nothing. */
function takePeak({ pid }: WatchedProcess): number {
  if (process.platform !== 'linux') return 0;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) / 1024);
}

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { isRunning } from '../../local/postgres/claim-directory.ts';
import { readMetrics, valueIn } from '../core/read-metrics.ts';
import { type RunningProcess, runLocal, runNpm } from './run-process.ts';

// Whole processes with a database each, on whatever machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let directory: string;
const running: RunningProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'logferry-start-'));
});
afterEach(async () => {
  for (const each of running.splice(0)) {
    each.child.kill('SIGTERM');
    await each.exitCode();
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const greetingEnd = 'xargs curl -s\n';

/** Starts Logferry in a folder of the test's directory, and waits for what it prints when it runs. */
async function start(folder: string, how = (env: Record<string, string>) => runLocal('start.ts', [], env)) {
  const process = how({ LOGFERRY_DATA: join(directory, folder), PORT: '0' });
  running.push(process);
  await process.printed(greetingEnd);
  return process;
}

/** The command lines that the greeting tells to paste, in their order. */
const curlLines = (process: RunningProcess): string[] =>
  process
    .stdout()
    .split('\n')
    .filter((line) => line.trim().startsWith('curl '));

const paste = (line: string): string => execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' });

const isServerThere = (folder: string): boolean =>
  existsSync(join(directory, folder, 'postgres/cluster/postmaster.pid'));

test('prints lines that write an event and export it when pasted, and finds tenant and events at the second start', async () => {
  const first = await start('kept');
  const [write, download] = curlLines(first);
  expect(JSON.parse(paste(write!)).data).toMatchObject({ action: 'user.login', sequence_number: 3 });
  expect(paste(download!).split('\r\n')).toEqual([
    expect.stringMatching(/^id,sequence_number,occurred_at,/),
    expect.stringContaining(',logferry.tenant.created,'),
    expect.stringContaining(',logferry.key.created,'),
    expect.stringContaining(',user.login,'),
    '',
  ]);
  const { origin } = new URL(/http:\/\/\S+/.exec(write!)![0]);
  const metrics = readMetrics(await (await fetch(`${origin}/metrics`)).text());
  expect(valueIn(metrics, 'logferry_events_written_total')).toBe(1);
  expect(valueIn(metrics, 'logferry_exports_ended_total', { outcome: 'completed' })).toBe(1);
  for (const name of ['admin-key', 'tenant-key', 'secret-key']) {
    expect((await stat(join(directory, 'kept', name))).mode & 0o777).toBe(0o600);
  }

  const second = runLocal('start.ts', [], { LOGFERRY_DATA: join(directory, 'kept'), PORT: '0' });
  expect(await second.exitCode()).toBe(1);
  expect(second.stderr()).toMatch(/^Logferry already runs on .* \(process \d+\)\. Stop it, or set LOGFERRY_DATA .*\n$/);

  // As npm and a terminal do: two signals for one Ctrl-C.
  first.child.kill('SIGINT');
  first.child.kill('SIGTERM');
  expect(await first.exitCode()).toBe(0);
  expect(isServerThere('kept')).toBe(false);

  expect(first.stdout()).toMatch(/lf_admin_\w+/);
  expect(first.stdout()).toContain(`${origin}/docs`);

  const again = await start('kept', (env) => runNpm('start', env));
  // Keys are shown once: terminals and logs keep what they are shown.
  expect(again.stdout()).not.toMatch(/lf_(sk|admin)_/);
  expect(again.stdout()).toContain(`in ${join(directory, 'kept', 'admin-key')}`);
  const [, exporting] = curlLines(again);
  expect(paste(exporting!)).toContain(',user.login,');

  // Webhooks can be tried on this machine.
  expect(again.stdout()).toMatch(/Webhooks +to public addresses, and to 127\.0\.0\.0\/8, ::1\/128/);
  const key = (await readFile(join(directory, 'kept', 'tenant-key'), 'utf8')).trim();
  const { origin: now } = new URL(/http:\/\/\S+/.exec(exporting!)![0]);
  const made = await fetch(`${now}/v1/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: 'http://localhost:9000/hook' }),
  });
  expect(made.status).toBe(201);
});

test('ends in order on a SIGTERM that reaches npm alone', async () => {
  const npm = await start('supervised', (env) => runNpm('start', env));
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(npm.stdout())![0];
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  npm.child.kill('SIGTERM');
  await npm.exitCode();
  await expect(fetch(`${url}/livez`)).rejects.toThrow();
  expect(isServerThere('supervised')).toBe(false);
});

/** The process ids of the children of another process that run a program of ours. */
function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)/.exec(line))
    .filter((found) => found && Number(found[2]) === pid && found[3]!.includes('local/worker/main.ts'))
    .map((found) => Number(found![1]));
}

test('seals anew for another secret key, once and before its worker starts, and then needs the one before no more', async () => {
  const [before, after] = [1, 2].map(() => randomBytes(32).toString('base64')) as [string, string];
  const withKeys = (keys: Record<string, string>) =>
    start('resealed', (env) => runLocal('start.ts', [], { ...env, ...keys }));
  const end = async (process: RunningProcess) => {
    process.child.kill('SIGTERM');
    expect(await process.exitCode()).toBe(0);
  };
  await end(await withKeys({ LOGFERRY_SECRET_KEY: before }));
  const keys = { LOGFERRY_SECRET_KEY: after, LOGFERRY_SECRET_KEY_PREVIOUS: before };
  const resealed = await withKeys(keys);
  expect(paste(curlLines(resealed)[1]!)).toContain(',logferry.tenant.created,');
  // The worker already finds a database that knows the new key.
  expect(resealed.stderr().match(/secrets are sealed with a key of LOGFERRY_SECRET_KEY_PREVIOUS/g)).toHaveLength(1);
  await end(resealed);
  const alone = await withKeys({ LOGFERRY_SECRET_KEY: after });
  expect(paste(curlLines(alone)[1]!)).toContain(',logferry.tenant.created,');
});

test('starts another worker when one dies, while the API goes on, and says so', async () => {
  const process = await start('replaced');
  const [, download] = curlLines(process);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(process.stdout())![0];
  const [first, ...more] = childrenOf(process.child.pid!);
  expect(more).toEqual([]);
  globalThis.process.kill(first!, 'SIGKILL');
  await expect.poll(process.stderr).toContain('the worker process ended by itself; another one is started');
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(paste(download!)).toContain(',logferry.tenant.created,');
  const [second] = childrenOf(process.child.pid!);
  expect(second).not.toBe(first);
  expect(process.stderr()).toContain(`"pid":${first},"ending":"SIGKILL"`);
  process.child.kill('SIGTERM');
  expect(await process.exitCode()).toBe(0);
  expect(isRunning(second!)).toBe(false);
});

test('leaves neither worker nor server behind when it is killed, and starts again on the same data', async () => {
  const killed = await start('killed');
  const [worker] = childrenOf(killed.child.pid!);
  killed.child.kill('SIGKILL');
  await expect.poll(() => isRunning(worker!), { timeout: 15_000 }).toBe(false);
  await expect.poll(() => isServerThere('killed'), { timeout: 15_000 }).toBe(false);
  const again = await start('killed');
  expect(paste(curlLines(again)[1]!)).toContain(',logferry.tenant.created,');
});

test('ends in order on the Ctrl-C of a terminal, which all of its processes hear', async () => {
  const process = await start('interrupted');
  const [worker] = childrenOf(process.child.pid!);
  globalThis.process.kill(worker!, 'SIGINT');
  process.child.kill('SIGINT');
  expect(await process.exitCode()).toBe(0);
  expect(process.stderr()).not.toContain('ended by itself');
  expect(isRunning(worker!)).toBe(false);
  expect(isServerThere('interrupted')).toBe(false);
});

test('ends 1 with the message of a worker that cannot start', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const WORKER_PORT = String((other.address() as AddressInfo).port);
  const process = runLocal('start.ts', [], { LOGFERRY_DATA: join(directory, 'no-worker'), PORT: '0', WORKER_PORT });
  expect(await process.exitCode()).toBe(1);
  expect(process.stderr()).toBe(
    `Port ${WORKER_PORT} of 127.0.0.1 is taken. End what listens there, or set WORKER_PORT to another one.\n`,
  );
  expect(isServerThere('no-worker')).toBe(false);
  other.close();
});

test('says in one line that the port is taken, and ends 1 with nothing left running', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const process = runLocal('start.ts', [], { LOGFERRY_DATA: join(directory, 'taken'), PORT: String(port) });
  expect(await process.exitCode()).toBe(1);
  expect(process.stderr()).toBe(
    `Port ${port} of 127.0.0.1 is taken. End what listens there, or set PORT to another one.\n`,
  );
  expect(isServerThere('taken')).toBe(false);
  other.close();
});

test('says each mistake of the configuration in a line of its own, and what keeps it from its database or directory in one', async () => {
  const fails = async (env: Record<string, string>) => {
    const process = runLocal('start.ts', [], { LOGFERRY_DATA: join(directory, 'wrong'), ...env });
    expect(await process.exitCode()).toBe(1);
    return process.stderr().trimEnd().split('\n');
  };
  const lines = await Promise.all([
    fails({ PORT: 'http', LOGFERRY_RATE_LIMI: '5' }),
    fails({ DATABASE_URL: 'postgresql://127.0.0.1:1/none' }),
    fails({ QUEUE_URL: 'redis://127.0.0.1:1?clutser=true' }),
    fails({ LOGFERRY_DATA: join(import.meta.dirname, 'start.test.ts') }),
  ]);
  expect(lines).toEqual([
    [expect.stringContaining('did you mean LOGFERRY_RATE_LIMIT?'), 'PORT must be a whole number, not "http"'],
    [expect.stringMatching(/^The database of DATABASE_URL cannot be used: connect ECONNREFUSED/)],
    [expect.stringMatching(/^QUEUE_URL: unknown parameter "clutser", did you mean "cluster"/)],
    [expect.stringMatching(/^E(EXIST|NOTDIR): /)],
  ]);
});

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../local/postgres/embedded-postgres.ts';

const root = join(import.meta.dirname, '..', '..', '..');
let directory: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'logferry-embedded-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await Promise.all(running.splice(0).map((postgres) => postgres.stop()));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function start(options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory, ...options });
  running.push(postgres);
  return postgres;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>> {
  const client = await connect(url);
  try {
    return (await client.query(sql)).rows[0];
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Another process, a group of its own, that holds the directory; `onSignal` is what it does at SIGINT. Returns it and the URL it printed. */
async function startInChild(options: { directory: string; temporary?: boolean; onSignal?: string }) {
  const code = `
    import pg from 'pg';
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('../../../local/postgres/embedded-postgres.ts', import.meta.url).href)};
    const postgres = await startEmbeddedPostgres(${JSON.stringify({ directory: options.directory, temporary: options.temporary })});
    process.on('SIGINT', async () => { ${options.onSignal ?? ''} });
    setInterval(() => {}, 1000);
    console.log(postgres.url('postgres'));`;
  const child = spawn(join(root, 'node_modules/.bin/node'), ['--input-type=module', '-e', code], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const nextLine = async () => (await lines.next()).value as string;
  return { child, url: await nextLine(), nextLine };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('makes a UTF-8 database that survives power loss, and takes connections from this machine with its password alone', async () => {
  const url = (await start()).url('postgres');
  const row = await query(
    url,
    `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
       current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets,
       current_setting('fsync') as fsync, current_setting('TimeZone') as zone, lower('ÄÖ') as lower`,
  );
  expect(row).toMatchObject({
    encoding: 'UTF8',
    addresses: '127.0.0.1',
    sockets: '',
    fsync: 'on',
    zone: 'UTC',
    lower: 'äö',
  });
  expect(row.version).toBeGreaterThanOrEqual(180_000);
  await expect(query(url.replace(/:[0-9a-f]{48}@/, ':guess@'), 'select 1')).rejects.toThrow(
    /password authentication failed/,
  );
  expect((await stat(join(directory, 'password'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'cluster'))).mode & 0o777).toBe(0o700);
});

test('finds its data again after a stop', async () => {
  const first = await start();
  await query(first.url('postgres'), 'create table kept (id int)');
  await first.stop();
  const second = await start();
  expect(await query(second.url('postgres'), 'select count(*)::int as rows from kept')).toEqual({ rows: 0 });
});

test('stops although connections are open, and lets stop be called twice', async () => {
  const postgres = await start();
  const client = await connect(postgres.url('postgres'));
  const ended = new Promise((resolve) => client.once('end', resolve));
  await Promise.all([postgres.stop(), postgres.stop()]);
  await ended;
  await expect(query(postgres.url('postgres'), 'select 1')).rejects.toThrow(/ECONNREFUSED/);
});

test('refuses a directory that another process runs on, in one line, and leaves that process alone', async () => {
  const { url } = await startInChild({ directory });
  await expect(start()).rejects.toThrow(/^Logferry already runs on .* \(process \d+\)\. .*$/);
  expect(await query(url, 'select 1 as one')).toEqual({ one: 1 });
});

test('starts when a killed process left its Postgres running, and has its data', async () => {
  const { child, url } = await startInChild({ directory });
  await query(url, 'create table before_kill as select 1 as id');
  // The watching shell would end that Postgres; without it, it stays.
  process.kill(findWatcher(directory), 'SIGKILL');
  await kill(child);
  expect(await query(url, 'select 1 as one')).toEqual({ one: 1 });

  const told: string[] = [];
  const postgres = await start({ log: (line) => told.push(line) });
  expect(told).toEqual(['Stopping the Postgres that an earlier run left behind.']);
  expect(await query(postgres.url('postgres'), 'select id from before_kill')).toEqual({ id: 1 });
});

function findWatcher(path: string): number {
  const processes = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const found = processes.find(
    (line) => line.includes('/bin/sh -c') && line.includes(join(path, 'cluster/postmaster.pid')),
  );
  return Number.parseInt(found ?? '', 10);
}

test('ends Postgres and removes a temporary directory when its process is killed', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'logferry-embedded-'));
  const { child, url } = await startInChild({ directory: temporary, temporary: true });
  const client = await connect(url);
  const ended = new Promise((resolve) => client.once('end', resolve));
  await kill(child);
  await ended;
  await expect.poll(() => existsSync(temporary), { timeout: 10_000 }).toBe(false);
});

test('serves until it is stopped when Ctrl-C reaches every process of the terminal', async () => {
  const { child, nextLine } = await startInChild({
    directory,
    onSignal: `
      const client = new pg.Client({ connectionString: postgres.url('postgres') });
      await client.connect();
      console.log((await client.query('select 1 as one')).rows[0].one);
      await client.end();
      await postgres.stop();
      process.exit(0);`,
  });
  process.kill(-child.pid!, 'SIGINT');
  expect(await nextLine()).toBe('1');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  expect(existsSync(join(directory, 'cluster', 'postmaster.pid'))).toBe(false);
});

test('starts on a stale postmaster.pid whose process id belongs to another program now', async () => {
  await (await start()).stop();
  await writeFile(
    join(directory, 'cluster', 'postmaster.pid'),
    `${process.pid}\n${directory}/cluster\n1\n5432\n\n\n\nready\n`,
  );
  const postgres = await start();
  expect(await query(postgres.url('postgres'), 'select 1 as one')).toEqual({ one: 1 });
});

test('takes over a claim whose process is gone, or whose process id belongs to another program now', async () => {
  for (const owner of ['999999999 1', `${process.pid} 1`]) {
    await writeFile(join(directory, 'owner'), owner);
    await (await start()).stop();
  }
  expect(existsSync(join(directory, 'owner'))).toBe(false);
});

test('starts after a first start that was interrupted', async () => {
  const interrupted = join(directory, 'interrupted');
  await mkdir(join(interrupted, 'cluster.new', 'base'), { recursive: true });
  const postgres = await start({ directory: interrupted, fast: true });
  expect(await query(postgres.url('postgres'), `select current_setting('fsync') as fsync`)).toEqual({ fsync: 'off' });
});

test('says why when Postgres does not come up, with the end of its log', async () => {
  const broken = join(directory, 'broken');
  await (await start({ directory: broken, fast: true })).stop();
  const file = join(broken, 'cluster', 'postgresql.conf');
  const configuration = await readFile(file, 'utf8');
  await writeFile(file, `${configuration}\nno_such_setting = 1\n`);
  await expect(start({ directory: broken })).rejects.toThrow(/did not start[\s\S]*no_such_setting/);
  await writeFile(file, configuration);
  await start({ directory: broken });
});

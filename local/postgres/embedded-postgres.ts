import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { findFreePort } from '../free-port.ts';
import { claimDirectory } from './claim-directory.ts';
import { type Account, chooseAccount, findBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import {
  dataDirectoryArguments,
  findLeftover,
  postgresEnvironment,
  startPostmaster,
  stopPostmaster,
  watchOver,
} from './postmaster.ts';

const user = 'logferry';

/** For one machine that also does other work; durable, and fast for long scans and bulk inserts. */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  wal_compression: 'on',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** Loses the data when the machine stops without warning: for databases of tests. */
const fastSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

export type EmbeddedPostgres = {
  /** Connection string of a database of this server; the database itself has to be made (prisma/migrate.ts: ensureDatabase). */
  url(databaseName: string): string;
  /** Fast shutdown; open connections are ended. Safe to call twice. */
  stop(): Promise<void>;
};

/**
 * Runs a real PostgreSQL in `directory`, on a free port of 127.0.0.1, with a password kept there. The first start makes the
 * database cluster; later ones find its data, whatever became of the process before: a server that it left is stopped first.
 * If this process is killed, the server ends by itself. `temporary` removes the directory at the end; `fast` trades safety
 * for speed.
 * @throws Error, one line for the user, when another process runs on the directory or Postgres cannot run here.
 */
export async function startEmbeddedPostgres(options: {
  directory: string;
  log?: (line: string) => void;
  fast?: boolean;
  temporary?: boolean;
}): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const release = claimDirectory(directory);
  const temporary = options.temporary ? [directory] : [];
  const cleanUp = () => {
    release();
    for (const path of temporary) rmSync(path, { recursive: true, force: true });
  };
  try {
    const cluster = join(directory, 'cluster');
    await stopLeftover(cluster, options.log);
    const account = chooseAccount(cluster);
    const binaries = findBinaries(account, join(directory, 'binaries'));
    if (binaries.copy) temporary.push(binaries.copy);
    const installation = { directory, cluster, account, binaries, fast: options.fast ?? false };
    if (!existsSync(cluster)) await createCluster(installation);
    const { server, port } = await startOnFreePort(installation);
    const watcher = watchOver(server.pid!, cluster, temporary);
    let stopping: Promise<void> | undefined;
    server.once('exit', () => {
      if (!stopping) options.log?.(`Postgres ended unexpectedly. Its log is ${logFile(directory)}.`);
    });
    const stop = async () => {
      await stopPostmaster(server.pid!, cluster);
      watcher.kill('SIGKILL');
      cleanUp();
    };
    const password = readFileSync(join(directory, 'password'), 'utf8').trim();
    return {
      url: (databaseName) => `postgresql://${user}:${password}@127.0.0.1:${port}/${encodeURIComponent(databaseName)}`,
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    cleanUp();
    throw error;
  }
}

type Installation = { directory: string; cluster: string; account: Account; binaries: PostgresBinaries; fast: boolean };

const logFile = (directory: string) => join(directory, 'postgres.log');

async function stopLeftover(cluster: string, log: ((line: string) => void) | undefined): Promise<void> {
  const pid = findLeftover(cluster);
  if (pid === undefined) return;
  log?.('Stopping the Postgres that an earlier run left behind.');
  await stopPostmaster(pid, cluster);
}

/** Between the choice of a port and its use another program may take it: then there is a second choice, and a third. */
async function startOnFreePort({ directory, cluster, account, binaries, fast }: Installation) {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort();
    try {
      const server = await startPostmaster({
        program: binaries.postgres,
        cluster,
        account,
        logFile: logFile(directory),
        settings: { ...settings, ...(fast ? fastSettings : {}), port: String(port) },
      });
      return { server, port };
    } catch (error) {
      if (attempt === 3 || !(error as Error).message.includes('could not bind')) throw error;
    }
  }
}

/** Makes the cluster beside its place and moves it there at the end: one that was interrupted is never taken for a whole. */
async function createCluster({ directory, cluster, account, binaries, fast }: Installation): Promise<void> {
  const unfinished = `${cluster}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  const passwordFile = join(directory, 'password');
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
  if (account) chownSync(unfinished, account.uid, account.gid);
  if (account) chownSync(passwordFile, account.uid, account.gid);
  const passwordInput = openSync(passwordFile, 'r');
  const initdb = spawn(
    binaries.initdb,
    [
      ...dataDirectoryArguments(unfinished, account),
      `--username=${user}`,
      '--auth=scram-sha-256',
      '--pwfile=/dev/stdin',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      ...(fast ? ['--no-sync'] : []),
    ],
    { ...account, cwd: unfinished, env: postgresEnvironment(), stdio: [passwordInput, 'ignore', 'pipe'] },
  );
  closeSync(passwordInput);
  let complaint = '';
  initdb.stderr!.on('data', (text) => {
    complaint += text;
  });
  const [code] = await once(initdb, 'close');
  if (code !== 0)
    throw new Error(`The embedded Postgres could not make its database in ${directory}: ${complaint.trim()}`);
  renameSync(unfinished, cluster);
}

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../local/postgres/embedded-postgres.ts';
import { chooseAccount, findBinaries } from '../../local/postgres/postgres-binaries.ts';
import { startPostmaster, stopPostmaster, watchOver } from '../../local/postgres/postmaster.ts';
import { findStablePort } from './stable-port.ts';

/** A PostgreSQL of one test's own that keeps what it has committed, to be torn down in the middle of things. */
export type PostgresServer = {
  /** Of its one database, which has to be made (prisma/migrate.ts: ensureDatabase). */
  url: string;
  /** Immediate shutdown: every connection breaks off, nothing is written, the next start recovers from its log. */
  crash(): Promise<void>;
  /** Starts it again, on the same port. */
  restart(): Promise<void>;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
};

/**
 * Three APIs and four workers may open some 250 connections at most; the auditor's come besides. What was committed is with
 * the system by then, which outlives the server: so nothing is gained by waiting for the disk.
 */
const settings = {
  fsync: 'off',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '400',
  shared_buffers: '128MB',
  max_wal_size: '2GB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** Starts one in a temporary directory; it ends with this process, also if this one is killed. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'logferry-chaos-'));
  // Started in its own way only once, to make the cluster: it would take another port each time.
  const made = await startEmbeddedPostgres({ directory });
  await made.stop();
  const port = String(await findStablePort());
  const url = Object.assign(new URL(made.url('logferry')), { port }).href;
  const cluster = join(directory, 'cluster');
  const account = chooseAccount(cluster);
  const binaries = findBinaries(account, join(directory, 'binaries'));
  const temporary = [directory, ...(binaries.copy ? [binaries.copy] : [])];
  let server: ChildProcess;
  let watcher: ChildProcess;
  const start = async () => {
    server = await startPostmaster({
      program: binaries.postgres,
      cluster,
      account,
      logFile: join(directory, 'postgres.log'),
      settings: { ...settings, port },
    });
    watcher = watchOver(server.pid!, cluster, temporary);
  };
  await start();
  return {
    url,
    async crash() {
      const ended = once(server, 'exit');
      server.kill('SIGQUIT');
      await ended;
    },
    async restart() {
      const before = watcher;
      await start();
      before.kill('SIGKILL');
    },
    async stop() {
      await stopPostmaster(server.pid!, cluster);
      watcher.kill('SIGKILL');
      for (const path of temporary) rmSync(path, { recursive: true, force: true });
    },
  };
}

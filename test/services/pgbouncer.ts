import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from '../../local/free-port.ts';
import { startOwnProcess } from '../../local/services/own-process.ts';

/** PgBouncer in front of the server of a database. */
export type Pooler = {
  /** Of the same database, through the pooler. */
  url: string;
  stop(): Promise<void>;
};

/** Whether it is in PATH; Debian has it in /usr/sbin. */
export const hasPgBouncer = (): boolean => spawnSync('pgbouncer', ['--version'], { env: environment }).status === 0;

const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

/**
 * Starts a pooler as operators do who cannot have startup options: it ignores them, and the zone of what it passes on is
 * that of the database.
 */
export async function startPgBouncer(
  databaseUrl: string,
  mode: 'session' | 'transaction' | 'statement',
): Promise<Pooler> {
  const target = new URL(databaseUrl);
  const port = await findFreePort();
  const own = await startOwnProcess({
    name: 'pgbouncer',
    program: '/bin/sh',
    prepare(directory) {
      writeFileSync(join(directory, 'pgbouncer.ini'), settings(target, port, mode));
      // It refuses to run as root, and then becomes another user.
      chmodSync(directory, 0o755);
    },
    args: () => ['-c', 'PATH="$PATH:/usr/sbin" exec pgbouncer pgbouncer.ini'],
    isReady: () => listens(port),
    deadlineMs: 10_000,
  });
  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    stop: own.stop,
  };
}

const settings = ({ hostname, port, username, password }: URL, listenPort: number, mode: string): string => `
[databases]
* = host=${hostname} port=${port || 5432} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 60
max_client_conn = 200
ignore_startup_parameters = extra_float_digits,options
${process.getuid?.() === 0 ? 'user = nobody' : ''}
`;

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });

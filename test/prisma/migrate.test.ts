import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureDatabase, MigrationError, migrate, migrateQueue } from '../../prisma/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { describeDatabase } from './describe-database.ts';
import { describeSchema } from './describe-schema.ts';

const prismaDirectory = join(import.meta.dirname, '..', '..', 'prisma');
const realMigrations = join(prismaDirectory, 'migrations');

let database: TestDatabase;
let client: pg.Client;

async function open(options?: { empty: boolean }): Promise<void> {
  database = await createTestDatabase(options);
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
}

afterEach(async () => {
  await client.end();
  await database.drop();
});

describe('schema.prisma and the migrations', () => {
  const schema = readFile(join(prismaDirectory, 'schema.prisma'), 'utf8').then(describeSchema);
  beforeEach(() => open());

  test('describe the same database', async () => {
    expect(await describeDatabase(client)).toEqual(await schema);
  });

  test('describe something', async () => {
    const kinds = new Set((await schema).map((line) => line.split(' ')[0]));
    expect([...kinds].sort()).toEqual(['column', 'enum', 'foreign', 'index', 'primary', 'unique']);
  });

  const aColumn = (condition: string) => `
    select format('alter table %I ', c.table_name) as head, quote_ident(c.column_name) as name
    from information_schema.columns c where c.table_schema = 'public' and c.table_name <> '_prisma_migrations' and ${condition}
    order by c.table_name, c.ordinal_position limit 1`;

  test.each([
    ['a table too many', `select 'create table surplus (id uuid)'`],
    ['a column too many', `select head || 'add column surplus text' from (${aColumn('true')}) x`],
    ['a column too few', `select head || 'drop column ' || name || ' cascade' from (${aColumn('true')}) x`],
    [
      'a changed type',
      `select head || 'alter column ' || name || ' type varchar(9)' from (${aColumn(`data_type = 'text'`)}) x`,
    ],
    [
      'a changed precision',
      `select head || 'alter column ' || name || ' type timestamptz(3)' from (${aColumn(`data_type = 'timestamp with time zone'`)}) x`,
    ],
    [
      'a column that may be null',
      `select head || 'alter column ' || name || ' drop not null' from (${aColumn(`is_nullable = 'NO' and data_type = 'text'`)}) x`,
    ],
    [
      'a column that may not be null',
      `select head || 'alter column ' || name || ' set not null' from (${aColumn(`is_nullable = 'YES'`)}) x`,
    ],
    [
      'a default too many',
      `select head || 'alter column ' || name || ' set default 7' from (${aColumn(`column_default is null and data_type = 'bigint'`)}) x`,
    ],
    [
      'a default too few',
      `select head || 'alter column ' || name || ' drop default' from (${aColumn('column_default is not null')}) x`,
    ],
    [
      'an index too few',
      `select format('drop index %s', indexrelid::regclass) from pg_index join pg_class t on t.oid = indrelid where not indisunique and t.relnamespace = 'public'::regnamespace order by 1 limit 1`,
    ],
    [
      'an index no longer unique',
      `select format('drop index %s; %s', indexrelid::regclass, replace(pg_get_indexdef(indexrelid), 'UNIQUE ', '')) from pg_index join pg_class t on t.oid = indrelid where indisunique and not indisprimary and t.relnamespace = 'public'::regnamespace order by 1 limit 1`,
    ],
    [
      'a foreign key too few',
      `select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace order by 1 limit 1`,
    ],
    [
      'an enum value too many',
      `select format('alter type %s add value ''surplus''', oid::regtype) from pg_type where typtype = 'e' and typnamespace = 'public'::regnamespace order by 1 limit 1`,
    ],
  ])('are seen to differ by %s', async (_, question) => {
    const { rows } = await client.query<{ [column: string]: string }>(question);
    await client.query(Object.values(rows[0]!)[0]!);
    expect(await describeDatabase(client)).not.toEqual(await schema);
  });
});

describe('migrate', () => {
  let directory: string;
  beforeEach(async () => {
    await open({ empty: true });
    directory = await mkdtemp(join(tmpdir(), 'logferry-migrations-'));
    await put('20260101000000_first', 'create table a (id int); insert into a values (1);');
    await put('20260102000000_second', 'alter table a add column b text;');
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function put(name: string, sql: string): Promise<void> {
    await mkdir(join(directory, name), { recursive: true });
    await writeFile(join(directory, name, 'migration.sql'), sql);
  }
  const run = () => migrate(database.url, undefined, directory);
  const journal = async () => (await client.query('select * from _prisma_migrations order by started_at')).rows;

  test('applies every migration in the order of the names, and tells of each', async () => {
    const told: string[] = [];
    const applied = await migrate(database.url, (line) => told.push(line), directory);
    expect(applied).toEqual(['20260101000000_first', '20260102000000_second']);
    expect(told).toHaveLength(2);
    expect((await client.query('select * from a')).rows).toEqual([{ id: 1, b: null }]);
  });

  test.each(['Postgres, DMY', 'German', 'SQL, DMY'])(
    'finds nothing to do the second time where the database writes dates as %s, in another zone',
    async (style) => {
      const name = pg.escapeIdentifier(new URL(database.url).pathname.slice(1));
      await client.query(`alter database ${name} set datestyle = '${style}'`);
      await client.query(`alter database ${name} set timezone = 'Asia/Tokyo'`);
      expect(await run()).toHaveLength(2);
      expect(await run()).toEqual([]);
    },
  );

  test('refuses a database that cannot hold any text, in one line', async () => {
    const name = `${new URL(database.url).pathname.slice(1)}_latin1`;
    await client.query(
      `create database ${name} encoding 'LATIN1' locale 'C' locale_provider 'libc' template template0`,
    );
    const url = Object.assign(new URL(database.url), { pathname: `/${name}` }).href;
    const failure = migrate(url, undefined, directory);
    await expect(failure).rejects.toThrow(MigrationError);
    await expect(failure).rejects.toThrow(/is encoded in LATIN1.*createdb --encoding=UTF8/);
    await client.query(`drop database ${name}`);
  });

  test('finds nothing to do the second time', async () => {
    await run();
    const before = await journal();
    expect(await run()).toEqual([]);
    expect(await journal()).toEqual(before);
  });

  test('applies each once when several processes start at once', async () => {
    const applied = await Promise.all([run(), run(), run(), run()]);
    expect(applied.flat()).toHaveLength(2);
    expect(await journal()).toHaveLength(2);
    expect((await client.query('select * from a')).rowCount).toBe(1);
  });

  test('applies only what is new when a migration is added', async () => {
    await run();
    await put('20260103000000_third', 'alter table a add column c text;');
    expect(await run()).toEqual(['20260103000000_third']);
  });

  test('undoes a migration that fails, keeps those before it, and applies it once it is repaired', async () => {
    await put('20260102000000_second', 'alter table a add column b text; select * from nowhere;');
    await expect(run()).rejects.toThrow(/20260102000000_second failed and changed nothing: .*nowhere/);
    expect(await journal()).toHaveLength(1);
    expect(Object.keys((await client.query('select * from a')).rows[0])).toEqual(['id']);
    await put('20260102000000_second', 'alter table a add column b text;');
    expect(await run()).toEqual(['20260102000000_second']);
  });

  test('refuses a database whose applied migration was changed since', async () => {
    await run();
    await put('20260101000000_first', 'create table a (id int, surplus text);');
    const failure = run();
    await expect(failure).rejects.toThrow(MigrationError);
    await expect(failure).rejects.toThrow(/20260101000000_first\/migration.sql was changed/);
  });

  test('refuses a database of a newer version', async () => {
    await run();
    await rm(join(directory, '20260102000000_second'), { recursive: true });
    await put('20260101500000_other', 'create table never (id int)');
    await expect(run()).rejects.toThrow(/20260102000000_second.*does not know/);
    expect((await client.query(`select to_regclass('never') as found`)).rows[0].found).toBeNull();
  });

  test('refuses a migration that another tool began and did not finish', async () => {
    await run();
    await client.query('update _prisma_migrations set finished_at = null where migration_name ~ $1', ['second']);
    await expect(run()).rejects.toThrow(/did not finish/);
  });

  test('applies again what was rolled back with the Prisma CLI', async () => {
    await run();
    await client.query('alter table a drop column b');
    await client.query('update _prisma_migrations set rolled_back_at = now() where migration_name ~ $1', ['second']);
    expect(await run()).toEqual(['20260102000000_second']);
  });

  test('keeps the journal as the Prisma CLI does', async () => {
    await migrate(database.url);
    const { rows: columns } = await client.query(
      `select concat_ws(' ', attname, format_type(atttypid, atttypmod), case when attnotnull then 'not null' end) as text
       from pg_attribute where attrelid = '_prisma_migrations'::regclass and attnum > 0 order by attnum`,
    );
    expect(columns.map((column) => column.text)).toEqual([
      'id character varying(36) not null',
      'checksum character varying(64) not null',
      'finished_at timestamp with time zone',
      'migration_name character varying(255) not null',
      'logs text',
      'rolled_back_at timestamp with time zone',
      'started_at timestamp with time zone not null',
      'applied_steps_count integer not null',
    ]);
    const names = (await readdir(realMigrations, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const rows = await journal();
    expect(rows.map((row) => row.migration_name)).toEqual(names.map((entry) => entry.name).sort());
    for (const row of rows) {
      const file = await readFile(join(realMigrations, row.migration_name, 'migration.sql'));
      expect(row.checksum).toBe(createHash('sha256').update(file).digest('hex'));
      expect(row).toMatchObject({ applied_steps_count: 1, logs: null, rolled_back_at: null });
      expect(row.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(row.finished_at >= row.started_at).toBe(true);
    }
  });

  test('makes a missing database, also when several ask at once, and the tables of the queue', async () => {
    const url = `${database.url}_other`;
    await Promise.all([ensureDatabase(url), ensureDatabase(url), ensureDatabase(url)]);
    await Promise.all([migrateQueue(url), migrateQueue(url)]);
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    const { rows } = await other.query(`select count(*)::int as tables from pg_tables where schemaname = 'bullmq'`);
    await other.end();
    await client.query(`drop database "${new URL(url).pathname.slice(1)}"`);
    expect(rows[0].tables).toBeGreaterThan(0);
  });
});

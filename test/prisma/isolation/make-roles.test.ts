import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { openDatabase } from '../../../prisma/client.ts';
import { appendEvents } from '../../../prisma/events/append.ts';
import { appendAsIngest, readAsTenant, tenantSql } from '../../../prisma/isolation/as-role.ts';
import { askRoles, askUsableRoles, isUsable } from '../../../prisma/isolation/role-states.ts';
import { roleKinds, roleName } from '../../../prisma/isolation/roles.ts';
import { tenantTables } from '../../../prisma/isolation/tenant-tables.ts';
import { ensureDatabase, migrate } from '../../../prisma/migrate.ts';
import { createTenant } from '../../../prisma/tenants.ts';
import { dropRoles } from '../../database.ts';
import { newEvent } from '../event-database.ts';

const urlOf = (database: string, user?: string): string =>
  Object.assign(new URL(inject('templateUrl')), {
    pathname: `/${database}`,
    ...(user && { username: user, password: 'right' }),
  }).href;

async function ask<Row extends object = object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client
    .query<Row>(text, values)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

const made: { name: string; owner: string }[] = [];
afterEach(async () => {
  const gone = made.splice(0);
  for (const { name } of gone) await ask(urlOf('postgres'), `drop database if exists "${name}" with (force)`);
  for (const { name } of gone) await ask(urlOf('postgres'), dropRoles(name));
  for (const { owner } of gone) await ask(urlOf('postgres'), `drop role if exists "${owner}"`);
});

/** An empty database that belongs to a role with these attributes. */
async function createOwned(attributes: string): Promise<{ name: string; owner: string; url: string }> {
  // Begins with the template's name: so the run finds it at its end.
  const name = `${new URL(inject('templateUrl')).pathname.slice(1)}_${randomUUID().slice(0, 8)}`;
  const owner = `${name}_owner`;
  made.push({ name, owner });
  await ask(urlOf('postgres'), `create role "${owner}" login password 'right' ${attributes}`);
  await ask(urlOf('postgres'), `create database "${name}" template template0 owner "${owner}"`);
  return { name, owner, url: urlOf(name, owner) };
}

async function usable(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return askUsableRoles(client)
    .then((roles) => Object.keys(roles))
    .finally(() => client.end());
}

/** Writes for two tenants, reads for one, and says as whom. */
async function tryOut(url: string) {
  const database = openDatabase(url);
  try {
    const tenants = ['one', 'two'].map((externalId) =>
      createTenant(database.prisma, { name: externalId, plan: 'pro', region: 'eu', externalId }),
    );
    const writers = new Set<string>();
    for (const { id } of await Promise.all(tenants)) {
      await appendAsIngest(database.pool, async (sql) => {
        const [row] = await sql<{ name: string }>('select current_user::text as name');
        writers.add(row!.name);
        await appendEvents(
          sql,
          id,
          Array.from({ length: 25 }, () => newEvent()),
        );
      });
    }
    const { id } = await tenants[0]!;
    const [seen] = await tenantSql(
      database.pool,
      id,
    )<{ tenants: number }>('select count(distinct tenant_id)::int as tenants from events');
    const scanned = await database.scans.query<{ count: number }>('select count(*)::int as count from events');
    return { writers: [...writers], tenantsSeen: seen!.tenants, seenWithoutTenant: scanned.rows[0]!.count };
  } finally {
    await database.close();
  }
}

describe('migrate makes what the role of the URL may make', () => {
  it('all roles, where it is a superuser', async () => {
    const { url, name } = await createOwned('superuser');
    const told: string[] = [];
    await migrate(url, (line) => told.push(line));
    expect(told.filter((line) => !line.startsWith('Applying'))).toEqual([]);
    expect(await usable(url)).toEqual([...roleKinds]);
    expect(await tryOut(url)).toEqual({ writers: [roleName('ingest', name)], tenantsSeen: 1, seenWithoutTenant: 0 });
    // Again, as after each upgrade.
    await migrate(url);
    expect(await usable(url)).toEqual([...roleKinds]);
  });

  it('all roles, where it may bypass policies itself, since PostgreSQL 16', async () => {
    const { url } = await createOwned('createrole bypassrls');
    await migrate(url);
    const [server] = await ask<{ lets: boolean }>(
      url,
      `select current_setting('server_version_num')::int >= 160000 as lets`,
    );
    expect(await usable(url)).toEqual(server!.lets ? [...roleKinds] : ['reader', 'lists']);
    expect(await tryOut(url)).toMatchObject({ tenantsSeen: 1, seenWithoutTenant: 0 });
  });

  it('those that read, where none may bypass policies: events are written by the owner', async () => {
    const { url, owner } = await createOwned('createrole');
    const told: string[] = [];
    await migrate(url, (line) => told.push(line));
    expect(told.at(-1)).toMatch(
      /^Events are written by a role that can read them: the role "\S+" does not exist\.\n.*doctor/,
    );
    expect(await usable(url)).toEqual(['reader', 'lists']);
    expect(await tryOut(url)).toEqual({ writers: [owner], tenantsSeen: 1, seenWithoutTenant: 0 });
  });

  it('none, where it may make none: all goes on as the owner', async () => {
    const { url, owner } = await createOwned('');
    const told: string[] = [];
    await migrate(url, (line) => told.push(line));
    expect(told.at(-1)!.match(/does not exist/g)).toHaveLength(3);
    expect(await usable(url)).toEqual([]);
    expect(await tryOut(url)).toEqual({ writers: [owner], tenantsSeen: 2, seenWithoutTenant: 50 });
  });

  it('the rest, where somebody else has made the roles', async () => {
    const { url, name, owner } = await createOwned('');
    for (const kind of roleKinds) {
      const role = `"${roleName(kind, name)}"`;
      await ask(urlOf('postgres'), `create role ${role} nologin ${kind === 'ingest' ? 'bypassrls' : ''}`);
      await ask(urlOf('postgres'), `grant ${role} to "${owner}"`);
    }
    await migrate(url);
    expect(await usable(url)).toEqual([...roleKinds]);
    expect(await tryOut(url)).toMatchObject({ tenantsSeen: 1, seenWithoutTenant: 0 });
  });

  it('nothing that a role of more rights would give away', async () => {
    const { url, name } = await createOwned('superuser');
    await migrate(url);
    await ask(urlOf('postgres'), `alter role "${roleName('reader', name)}" bypassrls`);
    await ask(urlOf('postgres'), `alter role "${roleName('ingest', name)}" superuser`);
    expect(await usable(url)).toEqual(['lists']);
  });

  it('what is known of missing roles is forgotten soon: a process that runs meanwhile reads as they do', async () => {
    const { url } = await createOwned('superuser');
    await ask(url, 'create table waiting (id int)');
    const database = openDatabase(url);
    const tenants = randomUUID();
    const who = () =>
      readAsTenant(database.pool, { tenants }, (sql) => sql('select current_user = session_user as own'));
    try {
      expect(await who()).toEqual([{ own: true }]);
      await migrate(url);
      await expect.poll(who, { timeout: 20_000, interval: 500 }).toEqual([{ own: false }]);
    } finally {
      await database.close();
    }
  });
});

describe('The roles of a database', () => {
  it('have what they are for, and nothing more, also when an earlier version gave them more', async () => {
    const { url, name } = await createOwned('superuser');
    await migrate(url);
    await ask(url, `grant select, delete on exports, events to "${roleName('ingest', name)}"`);
    await migrate(url);
    const rows = await ask<{ text: string }>(
      url,
      `select concat_ws(' ', grantee, privilege_type, table_name) as text from information_schema.table_privileges
       where grantee ~ '^logferry_(reader|lists|ingest)' and table_schema = 'public' union
       select concat_ws(' ', grantee, privilege_type, table_name, column_name) from information_schema.column_privileges c
       where (grantee ~ '^logferry_ingest' and table_name = 'events' or table_name = 'exports' and grantee ~ '^logferry_reader')
         and privilege_type = 'SELECT' order by 1`,
    );
    expect(rows.map(({ text }) => text.replace(`_${name}`, ''))).toEqual([
      'logferry_ingest INSERT events',
      'logferry_ingest SELECT chain_heads',
      'logferry_ingest SELECT events hash',
      'logferry_ingest SELECT events id',
      'logferry_ingest SELECT events previous_hash',
      'logferry_ingest SELECT events sequence_number',
      'logferry_ingest SELECT events tenant_id',
      'logferry_ingest UPDATE chain_heads',
      'logferry_lists SELECT chain_heads',
      'logferry_lists SELECT events',
      'logferry_reader SELECT chain_heads',
      'logferry_reader SELECT events',
      'logferry_reader SELECT exports as_of_sequence',
      'logferry_reader SELECT exports tenant_id',
    ]);
  });

  it('are held by a policy of every table that says whose its rows are, and no table is forgotten', async () => {
    const url = inject('templateUrl');
    const rows = await ask<{ name: string; enabled: boolean; forced: boolean; policies: string[] }>(
      url,
      `select relname as name, relrowsecurity as enabled, relforcerowsecurity as forced,
         array(select polname::text from pg_policy where polrelid = c.oid order by 1) as policies
       from pg_class c where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
         and relname not in ('_prisma_migrations', 'settings') order by 1`,
    );
    // A new table belongs into prisma/isolation/tenant-tables.ts.
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(tenantTables).sort());
    for (const { name, enabled, forced, policies } of rows) {
      expect({ name, enabled, forced }).toEqual({ name, enabled: true, forced: false });
      const several = ['events', 'chain_heads'].includes(name) ? ['tenants'] : [];
      expect({ name, policies }).toEqual({ name, policies: tenantTables[name] ? ['tenant', ...several] : [] });
    }
  });

  it('show no row of any table to one who was granted all of them', async () => {
    const { url, name } = await createOwned('superuser');
    await migrate(url);
    await tryOut(url);
    const reader = `"${roleName('reader', name)}"`;
    await ask(url, `grant select on all tables in schema public to ${reader}`);
    const counts = Object.keys(tenantTables).map((table) => `(select count(*) from ${table})::int as ${table}`);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`set role ${reader}`);
    const { rows } = await client.query(`select ${counts}`);
    await client.end();
    expect(Object.values(rows[0]).every((count) => count === 0)).toBe(true);
  });

  it('are made by many processes at once, for one database and for several of the same server', async () => {
    const databases = await Promise.all([1, 2, 3].map(() => createOwned('superuser')));
    await Promise.all(databases.flatMap(({ url }) => [migrate(url), migrate(url)]));
    // As one that owns nothing but may do all: the grants of several databases are to the same role.
    await Promise.all(databases.flatMap(({ name }) => [migrate(urlOf(name)), migrate(urlOf(name))]));
    for (const { url } of databases) expect(await usable(url)).toEqual([...roleKinds]);
  }, 60_000);

  it('are its own where it is a copy of another', async () => {
    const { url, name, owner } = await createOwned('superuser');
    await migrate(url);
    const copy = `${name}_copy`;
    made.push({ name: copy, owner });
    await ask(urlOf('postgres'), `create database "${copy}" template "${name}" owner "${owner}"`);
    expect(await usable(urlOf(copy, owner))).toEqual([]);
    expect(await tryOut(urlOf(copy, owner))).toMatchObject({ tenantsSeen: 2 });
    await migrate(urlOf(copy, owner));
    expect(await usable(urlOf(copy, owner))).toEqual([...roleKinds]);
    await ask(urlOf(copy, owner), 'truncate tenants cascade; truncate events');
    expect(await tryOut(urlOf(copy, owner))).toMatchObject({ tenantsSeen: 1, seenWithoutTenant: 0 });
  });

  it('have names that are quoted, and are found where the name is long and strange', async () => {
    const name = `${new URL(inject('templateUrl')).pathname.slice(1)}_"Ö' ${'x'.repeat(20)}`;
    made.push({ name: name.replaceAll('"', '""'), owner: `${name.replaceAll('"', '""')}_o`.slice(0, 40) });
    const url = urlOf(encodeURIComponent(name));
    await ensureDatabase(url);
    await migrate(url);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const states = await askRoles(client);
    await client.end();
    expect(states.filter(isUsable).map((state) => state.name)).toEqual(roleKinds.map((kind) => roleName(kind, name)));
    await ask(urlOf('postgres'), `drop database ${pg.escapeIdentifier(name)} with (force)`);
    await ask(urlOf('postgres'), dropRoles(name));
  });
});

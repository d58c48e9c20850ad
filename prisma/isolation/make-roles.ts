import pg from 'pg';
import { makePolicies } from './make-policies.ts';
import { askRoles, type RoleState } from './role-states.ts';
import { grants, tenantTables } from './tenant-tables.ts';

/** How often it is tried while others change roles of the same server, and the codes by which they are noticed. */
const mostTries = 5;
/** "tuple concurrently updated" and its like (internal_error, deadlock_detected). */
const disturbed = /^(XX000|40P01)$/;
/** insufficient_privilege */
const refused = '42501';
/** duplicate_object and unique_violation: another process was faster. */
const isThere = /^(42710|23505)$/;

/**
 * Makes the roles of this database and the policies that hold them, and grants what each may do: at every run, as a restored
 * dump brings no roles. What our role may not do is left out, and everything works without it (role-states.ts).
 * @returns how the roles are now; none while there are no tables
 */
export async function makeRoles(client: pg.Client): Promise<RoleState[]> {
  const { rows } = await client.query(`select where to_regclass('events') is not null`);
  if (rows.length === 0) return [];
  for (let tries = 1; ; tries++) {
    await client.query('begin');
    try {
      await makeAll(client);
      await client.query('commit');
      return askRoles(client);
    } catch (error) {
      await client.query('rollback');
      const { code = '' } = error as { code?: string };
      // Who does not own the tables has no say in who may read them.
      if (code === refused) return askRoles(client);
      if (tries === mostTries || !disturbed.test(code)) throw error;
    }
  }
}

async function makeAll(client: pg.Client): Promise<void> {
  for (const { name, kind } of (await askRoles(client)).filter((state) => !state.exists)) {
    const attributes = kind === 'ingest' ? 'nologin bypassrls' : 'nologin';
    await ifAllowed(client, `create role ${pg.escapeIdentifier(name)} ${attributes}`);
  }
  const states = (await askRoles(client)).filter((state) => state.exists);
  await makePolicies(client, states.find(({ kind }) => kind === 'lists')?.name);
  for (const state of states) {
    await letUsBecome(client, state);
    await grantAll(client, state);
  }
}

/** Those who run statements as it: we, and the owner of the tables if that is another. */
const members = `
  select format('grant %I to %I', $1::text, rolname)
    || case when current_setting('server_version_num')::int < 160000 then '' else ' with inherit false, set true' end as statement
  from pg_roles where (rolname = session_user or oid = (select relowner from pg_class where oid = to_regclass('events')))
    and not pg_has_role(oid, $1::name, case when current_setting('server_version_num')::int < 160000 then 'MEMBER' else 'SET' end)`;

async function letUsBecome(client: pg.Client, { name, kind, bypassesPolicies }: RoleState): Promise<void> {
  if (kind === 'ingest' && !bypassesPolicies) {
    await ifAllowed(client, `alter role ${pg.escapeIdentifier(name)} bypassrls`);
  }
  const { rows } = await client.query<{ statement: string }>(members, [name]);
  for (const { statement } of rows) await ifAllowed(client, statement);
}

/** What an earlier version granted is taken back. */
async function grantAll(client: pg.Client, { name, kind }: RoleState): Promise<void> {
  const role = pg.escapeIdentifier(name);
  const { rows } = await client.query<{ tables: string; schema: string; database: string }>(
    `select string_agg(quote_ident(name), ', ') as tables, quote_ident(current_schema()) as schema,
       quote_ident(current_database()) as database
     from unnest($1::text[]) as asked (name) where to_regclass(name) is not null`,
    [Object.keys(tenantTables)],
  );
  const { tables, schema, database } = rows[0]!;
  const all = grants[kind].map((grant) => `grant ${grant} to ${role}`);
  await client.query([`revoke all on ${tables} from ${role}`, ...all].join('; '));
  // Everybody may do both unless the database was closed; then only its owner can let somebody in.
  await ifAllowed(client, `grant usage on schema ${schema} to ${role}`);
  if (kind === 'ingest') await ifAllowed(client, `grant temporary on database ${database} to ${role}`);
}

/** What is refused, or there already, undoes nothing else. */
async function ifAllowed(client: pg.Client, statement: string): Promise<void> {
  try {
    await client.query(`savepoint one; ${statement}; release savepoint one`);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (code !== refused && !isThere.test(code)) throw error;
    await client.query('rollback to savepoint one');
  }
}

import pg from 'pg';
import type { Finding } from '../../core/findings.ts';
import { whyUnusable, withoutRole } from '../isolation/missing-roles.ts';
import { askRoles, isUsable, type RoleState } from '../isolation/role-states.ts';
import { tenantTables } from '../isolation/tenant-tables.ts';

const about = 'database';

/**
 * Whether events of tenants are kept apart by the database itself: by roles that see those of one tenant, and policies on every
 * table (docs/security.md). Without them everything works, and a WHERE is all that keeps them apart.
 */
export async function inspectIsolation(client: pg.Client): Promise<Finding[]> {
  const open = await tablesWithoutPolicies(client);
  if (open.hidden) return [hiddenFinding];
  const states = await askRoles(client);
  const unusable = states.filter((state) => !isUsable(state));
  const found = await Promise.all(unusable.map(async (state) => missing(state, await remedyOf(client, state))));
  if (open.tables.length > 0) {
    const text = `Row-level security is off for ${open.tables.join(', ')}`;
    found.push({ level: 'warning', about, text, remedy: 'Run "npm run migrate" as the owner of the tables.' });
  }
  if (found.length > 0) return found;
  return [{ level: 'ok', about, text: 'tenants are kept apart by row-level security as well' }];
}

async function tablesWithoutPolicies(client: pg.Client): Promise<{ tables: string[]; hidden: boolean }> {
  const { rows } = await client.query<{ tables: string[]; hidden: boolean }>(
    `select coalesce(array_agg(relname::text order by relname) filter (where not relrowsecurity), '{}') as tables,
       row_security_active(to_regclass('events')) as hidden
     from unnest($1::text[]) as asked (name) join pg_class on oid = to_regclass(name)`,
    [Object.keys(tenantTables)],
  );
  return rows[0]!;
}

const hiddenFinding: Finding = {
  level: 'failure',
  about,
  text: 'Row-level security hides all rows from the role of DATABASE_URL, which does not own the tables',
  remedy: 'Name the role that ran the migrations in DATABASE_URL, or make this one a member of it: grant … to …',
};

const missing = (state: RoleState, remedy: string): Finding => ({
  level: 'warning',
  about,
  text: `${withoutRole[state.kind]}: ${whyUnusable(state)}`,
  remedy,
});

/** What a superuser has to say, and that we grant the rest. */
async function remedyOf(client: pg.Client, { kind, name, exists, maySet }: RoleState): Promise<string> {
  const { rows } = await client.query<{ owner: string }>('select quote_ident(session_user) as owner');
  const role = pg.escapeIdentifier(name);
  const attributes = kind === 'ingest' ? 'bypassrls' : 'nobypassrls nosuperuser';
  const statements = [
    `${exists ? 'alter' : 'create'} role ${role} ${kind === 'ingest' ? 'nosuperuser ' : ''}${attributes}`,
    ...(maySet ? [] : [`grant ${role} to ${rows[0]!.owner}`]),
  ];
  const unless = kind === 'ingest' ? ' A server that lets nobody bypass policies works without it.' : '';
  return `Let a superuser run: ${statements.join('; ')}; and then run "npm run migrate".${unless}`;
}

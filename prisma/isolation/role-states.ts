import pg from 'pg';
import { type RoleKind, roleKinds, roleName } from './roles.ts';

/** What the server says of one of the roles, for our own role and this database. */
export type RoleState = {
  kind: RoleKind;
  name: string;
  exists: boolean;
  /** Whether our role may become it (SET ROLE). */
  maySet: boolean;
  isSuperuser: boolean;
  bypassesPolicies: boolean;
  /** Whether it may do what it is for. */
  isGranted: boolean;
  /** Whether the policies stand by which it sees what it is to see, and nothing else. */
  isHeld: boolean;
};

/**
 * In PostgreSQL 16 membership and the right to SET ROLE became two things. A table that does not exist yet has the OID null,
 * of which every privilege is null.
 */
const states = `
  select kind, name, r.oid is not null as exists, coalesce(r.rolsuper, false) as "isSuperuser",
    coalesce(r.rolbypassrls, false) as "bypassesPolicies",
    coalesce(pg_has_role(session_user, r.oid, case when current_setting('server_version_num')::int < 160000 then 'MEMBER' else 'SET' end),
      false) as "maySet",
    coalesce(has_schema_privilege(r.oid, current_schema(), 'usage') and case kind
      when 'ingest' then has_table_privilege(r.oid, e.oid, 'insert') and has_table_privilege(r.oid, h.oid, 'update')
        and has_database_privilege(r.oid, current_database(), 'temporary')
      else has_table_privilege(r.oid, e.oid, 'select') and has_table_privilege(r.oid, h.oid, 'select') end, false) as "isGranted",
    coalesce(e.relrowsecurity and h.relrowsecurity, false) and kind = 'ingest' or 2 = (
      select count(*) from pg_policy where polrelid in (e.oid, h.oid) and case kind
        when 'reader' then polname = 'tenant' else polname = 'tenants' and r.oid = any (polroles) end) as "isHeld"
  from unnest($1::text[], $2::text[]) as asked (kind, name)
  left join pg_roles r on r.rolname = name
  left join pg_class e on e.oid = to_regclass('events')
  left join pg_class h on h.oid = to_regclass('chain_heads')
  order by array_position($1::text[], kind)`;

/** How the roles of this database are. Changes nothing, and may be asked before there are any tables. */
export async function askRoles(client: pg.ClientBase): Promise<RoleState[]> {
  const { rows } = await client.query<{ name: string }>('select current_database() as name');
  const names = roleKinds.map((kind) => roleName(kind, rows[0]!.name));
  return (await client.query<RoleState>(states, [roleKinds, names])).rows;
}

/**
 * Whether statements can run as it: those that read must be held by the policies, and ingest must not, as COPY FROM is refused
 * to whom they hold.
 */
export const isUsable = (state: RoleState): boolean =>
  state.exists &&
  state.maySet &&
  state.isGranted &&
  state.isHeld &&
  !state.isSuperuser &&
  state.bypassesPolicies === (state.kind === 'ingest');

/** The roles that statements can run as, by their quoted names. What is missing is left to our own role. */
export type UsableRoles = Partial<Record<RoleKind, string>>;

export async function askUsableRoles(client: pg.ClientBase): Promise<UsableRoles> {
  const usable = (await askRoles(client)).filter(isUsable);
  return Object.fromEntries(usable.map(({ kind, name }) => [kind, pg.escapeIdentifier(name)]));
}

/**
 * For `onConnect` of a pool all of whose statements read events of tenants: without a tenant set (as-tenant.ts) they see none.
 * Where there is no such role the session stays ours.
 */
export async function becomeReader(client: pg.ClientBase): Promise<void> {
  const { reader } = await askUsableRoles(client);
  if (reader) await client.query(`set role ${reader}`);
}

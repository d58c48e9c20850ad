import pg from 'pg';
import { readTables, seesOne, seesSeveral, tenantTables } from './tenant-tables.ts';

type Found = { name: string; isEnabled: boolean; policies: { name: string; roles: string[] }[] };

const found = `
  select c.relname as name, c.relrowsecurity as "isEnabled",
    coalesce((select json_agg(json_build_object('name', polname, 'roles',
      array(select r.rolname from pg_roles r where r.oid = any (polroles)))) from pg_policy where polrelid = c.oid), '[]') as policies
  from unnest($1::text[]) as asked (name) join pg_class c on c.oid = to_regclass(asked.name)`;

/**
 * Turns row-level security on for every table of tenants, with a policy for the rows of one tenant, and for the role `lists` one
 * for those of several. The owner of the tables is held by none of them. What is there already is left alone: each change
 * takes the table for itself for a moment.
 * @param lists the name of that role, if there is one
 */
export async function makePolicies(client: pg.Client, lists: string | undefined): Promise<void> {
  const { rows } = await client.query<Found>(found, [Object.keys(tenantTables)]);
  const statements = rows.flatMap((table) => [...policiesOf(table), ...policyOfLists(table, lists)]);
  if (statements.length > 0) await client.query(statements.join(';\n'));
}

/** The policy for the rows of one tenant asks for no role, so that a dump of it can be restored where there is none. */
function policiesOf({ name, isEnabled, policies }: Found): string[] {
  const column = tenantTables[name];
  const isThere = policies.some((policy) => policy.name === 'tenant');
  return [
    ...(isEnabled ? [] : [`alter table ${name} enable row level security`]),
    ...(isThere || !column ? [] : [`create policy tenant on ${name} for select using (${seesOne(column)})`]),
  ];
}

/** Of its own, and for its own role: beside it the planner could not tell any more that a statement is of one tenant. */
function policyOfLists({ name, policies }: Found, lists: string | undefined): string[] {
  const column = tenantTables[name];
  if (!lists || !column || !(readTables as readonly string[]).includes(name)) return [];
  const there = policies.find((policy) => policy.name === 'tenants');
  const role = pg.escapeIdentifier(lists);
  if (!there) return [`create policy tenants on ${name} for select to ${role} using (${seesSeveral(column)})`];
  // A copy of another database has its policy for the role of that one.
  return there.roles.join() === lists ? [] : [`alter policy tenants on ${name} to ${role}`];
}

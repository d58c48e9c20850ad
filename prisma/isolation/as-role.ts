import type pg from 'pg';
import { inTransaction, type Sql } from '../client.ts';
import { asTenant } from './as-tenant.ts';
import { askUsableRoles, type UsableRoles } from './role-states.ts';
import { roleKinds } from './roles.ts';

/** Milliseconds after which is looked again for roles that are missing: `migrate` may run while processes do. */
const retryMs = 10_000;

type Known = { roles: UsableRoles; askedAt: number };
const known = new WeakMap<pg.Pool, Known>();

/** The roles that a connection of this pool can become. Asked once; again only while some are missing. */
export async function usableRoles(pool: pg.Pool, client: pg.ClientBase): Promise<UsableRoles> {
  const before = known.get(pool);
  if (before && (isComplete(before.roles) || performance.now() - before.askedAt < retryMs)) return before.roles;
  const roles = await askUsableRoles(client);
  known.set(pool, { roles, askedAt: performance.now() });
  return roles;
}

const isComplete = (roles: UsableRoles): boolean => roleKinds.every((kind) => roles[kind] !== undefined);

const become = (role: string | undefined): string => (role ? `set local role ${role}; ` : '');

/** Whose rows are read, and milliseconds after which each statement is given up. */
export type ReadOptions = { tenants: string | readonly string[]; limitMs?: number };

/**
 * Runs `work` in a transaction that only reads, and sees the events of these tenants and no others, whatever its statements
 * ask for. Where the roles cannot be made (docs/security.md) it sees what its statements ask for.
 */
export function readAsTenant<T>(
  pool: pg.Pool,
  { tenants: asked, limitMs }: ReadOptions,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const tenants = typeof asked !== 'string' && asked.length === 1 ? asked[0]! : asked;
  return inTransaction(pool, work, async (client) => {
    const { reader, lists } = await usableRoles(pool, client);
    const limit = limitMs === undefined ? '' : `set local statement_timeout = ${limitMs}; `;
    return `begin read only; ${limit}${become(typeof tenants === 'string' ? reader : lists)}${asTenant(tenants)}`;
  });
}

/** Each statement in a transaction of its own that reads as readAsTenant(): no snapshot is held between two. */
export const tenantSql =
  (pool: pg.Pool, tenants: string | readonly string[]): Sql =>
  <Row extends object>(text: string, values?: unknown[]) =>
    readAsTenant(pool, { tenants }, (sql) => sql<Row>(text, values));

/** Runs `work`, which appends events, in one transaction that can write events and read none. */
export const appendAsIngest = <T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> =>
  inTransaction(pool, work, async (client) => `begin; ${become((await usableRoles(pool, client)).ingest)}`);

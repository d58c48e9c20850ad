import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { makeRoles } from '../prisma/isolation/make-roles.ts';
import { roleKinds, roleName } from '../prisma/isolation/roles.ts';

export type TestDatabase = {
  url: string;
  /** Removes it, whoever is still connected. The end of the run removes what was not dropped. */
  drop(): Promise<void>;
};

/** A migrated, empty database of the test file's own (about 50 ms). With `empty`, one without any table. */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const templateUrl = inject('templateUrl');
  const template = new URL(templateUrl).pathname.slice(1);
  // Begins with the template's name: so the run finds it at its end.
  const name = `${template}_${randomUUID().slice(0, 8)}`;
  await administer(
    templateUrl,
    `create database "${name}" template "${empty ? 'template0' : template}" strategy file_copy`,
  );
  const url = Object.assign(new URL(templateUrl), { pathname: `/${name}` }).href;
  // Roles are of the server, so the copy has none of its own.
  if (!empty) await makeRolesOf(url);
  return {
    url,
    async drop() {
      await administer(templateUrl, `drop database if exists "${name}" with (force)`);
      await administer(templateUrl, dropRoles(name));
    },
  };
}

/** The statement that drops the roles of a database that is gone. */
export const dropRoles = (database: string): string =>
  `drop role if exists ${roleKinds.map((kind) => pg.escapeIdentifier(roleName(kind, database))).join(', ')}`;

async function makeRolesOf(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await makeRoles(client);
  } finally {
    await client.end();
  }
}

async function administer(templateUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({
    connectionString: Object.assign(new URL(templateUrl), { pathname: '/postgres' }).href,
  });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

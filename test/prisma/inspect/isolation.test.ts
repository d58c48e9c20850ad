import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inspectIsolation } from '../../../prisma/inspect/isolation.ts';
import { roleKinds, roleName } from '../../../prisma/isolation/roles.ts';
import { migrate } from '../../../prisma/migrate.ts';
import { createTestDatabase, dropRoles, type TestDatabase } from '../../database.ts';

let testDatabase: TestDatabase;
let admin: pg.Client;
let owner: string;
let url: string;
/** The roles of the database are the superuser's; these tests want an owner that may not make any. */
beforeAll(async () => {
  testDatabase = await createTestDatabase({ empty: true });
  const name = new URL(testDatabase.url).pathname.slice(1);
  owner = `owner_${randomUUID().slice(0, 8)}`;
  admin = new pg.Client({ connectionString: testDatabase.url });
  await admin.connect();
  await admin.query(`create role ${owner} login password 'right'`);
  await admin.query(`alter database "${name}" owner to ${owner}`);
  url = Object.assign(new URL(testDatabase.url), { username: owner, password: 'right' }).href;
  await migrate(url);
});
afterAll(async () => {
  await admin.query(`drop owned by ${owner} cascade`);
  await admin.query(`alter database "${new URL(url).pathname.slice(1)}" owner to current_user`);
  await admin.query(`drop owned by ${roleKinds.map((kind) => `"${roleName(kind, new URL(url).pathname.slice(1))}"`)}`);
  await admin.query(dropRoles(new URL(url).pathname.slice(1)));
  await admin.query(`drop role ${owner}`);
  await admin.end();
  await testDatabase.drop();
});

async function inspect() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return inspectIsolation(client).finally(() => client.end());
}

it('says what goes on without each role that is missing, and its remedy is one: then tenants are kept apart', async () => {
  const findings = await inspect();
  expect(findings.map(({ level, text }) => [level, text.replace(/"\S+"/, '…')])).toEqual([
    ['warning', 'Events are read without row-level security: the role … does not exist'],
    ['warning', 'Lists and figures of several tenants are read without row-level security: the role … does not exist'],
    ['warning', 'Events are written by a role that can read them: the role … does not exist'],
  ]);
  for (const finding of findings) {
    const remedy = 'remedy' in finding ? finding.remedy! : '';
    const [, statements] = /^Let a superuser run: (.*); and then run "npm run migrate"\./.exec(remedy)!;
    await admin.query(statements!);
  }
  await migrate(url);
  expect(await inspect()).toEqual([
    { level: 'ok', about: 'database', text: 'tenants are kept apart by row-level security as well' },
  ]);
});

it('says so when a role may do too much, and what makes it right', async () => {
  const name = roleName('reader', new URL(url).pathname.slice(1));
  await admin.query(`alter role "${name}" bypassrls`);
  const [finding] = await inspect();
  expect(finding).toMatchObject({
    level: 'warning',
    text: expect.stringMatching(/reader_\S+ bypasses row-level security$/),
  });
  await admin.query(`alter role "${name}" nobypassrls`);
});

it('says so when row-level security was turned off for a table, until migrate turns it on', async () => {
  await admin.query('alter table exports disable row level security');
  expect(await inspect()).toMatchObject([{ level: 'warning', text: 'Row-level security is off for exports' }]);
  await migrate(url);
  expect(await inspect()).toMatchObject([{ level: 'ok' }]);
});

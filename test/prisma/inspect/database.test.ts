import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../../core/config.ts';
import type { Finding } from '../../../core/findings.ts';
import { newId } from '../../../core/ids.ts';
import { newSecretKey, secretKey } from '../../../core/secret-key.ts';
import { openDatabase } from '../../../prisma/client.ts';
import { inspectDatabase } from '../../../prisma/inspect/database.ts';
import { activeSigningKey } from '../../../prisma/log/signing-keys.ts';
import { fingerprintName } from '../../../prisma/secret-key/fingerprint-setting.ts';
import { createTenant } from '../../../prisma/tenants.ts';
import { createTestDatabase, type TestDatabase } from '../../database.ts';

const config = readConfig({
  LOGFERRY_EXPORT_CONCURRENCY: '1',
  LOGFERRY_EXPORT_READERS: '1',
  LOGFERRY_ADMIN_KEY: 'a'.repeat(20),
});

describe('inspectDatabase', () => {
  let testDatabase: TestDatabase;
  let client: pg.Client;
  let name: string;
  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    name = new URL(testDatabase.url).pathname.slice(1);
    client = new pg.Client({ connectionString: testDatabase.url });
    await client.connect();
  });
  afterEach(async () => {
    await client.end();
    await testDatabase.drop();
  });

  const inspect = (options: Partial<Parameters<typeof inspectDatabase>[1]> = {}, url = testDatabase.url) =>
    inspectDatabase(url, { config, hasQueue: true, secretKey: undefined, ...options });
  const saying = (findings: Finding[], level: Finding['level']) =>
    findings.filter((finding) => finding.level === level).map(({ text }) => text);
  /** The test server is set to be fast, and so is warned of. */
  const warnings = (findings: Finding[]) =>
    saying(findings, 'warning').filter((text) => !/^(fsync|full_page|sync)/.test(text));

  it('has nothing to warn of where all is as it should be', async () => {
    const findings = await inspect();
    expect(saying(findings, 'failure')).toEqual([]);
    expect(warnings(findings)).toEqual([]);
    expect(saying(findings, 'ok')).toEqual(
      expect.arrayContaining([
        'no timeout of the server or the role interrupts exports',
        expect.stringMatching(/^an API and a worker open up to 94 connections; \d+ of \d+ are available$/),
        'no secret key is registered; the first process registers its own',
        'tenants are kept apart by row-level security as well',
        '0 exports run and 0 wait; 0 webhook deliveries are pending',
        'files and running exports take 0 bytes',
      ]),
    );
  });

  it('sends to npm run migrate when there are no tables, or not all', async () => {
    const empty = await createTestDatabase({ empty: true });
    const findings = await inspect({}, empty.url);
    expect(findings).toContainEqual({
      level: 'failure',
      about: 'database',
      text: 'There are no tables yet',
      remedy: 'Run "npm run migrate".',
    });
    await empty.drop();
    const { rows } = await client.query(
      'delete from _prisma_migrations where migration_name > $1 returning migration_name',
      ['20261122000001'],
    );
    const pending = rows.map((row) => row.migration_name).sort();
    expect(pending.length).toBeGreaterThan(0);
    expect(saying(await inspect(), 'failure')).toEqual([`Migrations are not applied: ${pending.join(', ')}`]);
  });

  it('tells a database of a newer version, and a migration that was changed', async () => {
    await client.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name) values ($1, '', now(), '2999_new')`,
      [randomUUID()],
    );
    expect(saying(await inspect(), 'failure')).toEqual([expect.stringMatching(/2999_new.*newer version/)]);
    await client.query(`delete from _prisma_migrations where migration_name = '2999_new'`);
    await client.query(`update _prisma_migrations set checksum = 'changed'`);
    expect(saying(await inspect(), 'failure')).toEqual([
      expect.stringContaining('was changed after it had been applied'),
    ]);
  });

  it('compares the secret key by its fingerprint', async () => {
    const [first, second] = [newSecretKey(), newSecretKey()];
    const [key, other] = [secretKey(first), secretKey(second)];
    await client.query('insert into settings (name, value) values ($1, $2)', [fingerprintName, key.fingerprint]);
    expect(saying(await inspect({ secretKey: key }), 'ok')).toContain('the secret key is the registered one');
    expect(saying(await inspect({ secretKey: other }), 'failure')).toEqual([
      `It was used with a secret key of the fingerprint ${key.fingerprint}; the one here has ${other.fingerprint}`,
    ]);
    const findings = await inspect({ secretKey: secretKey(second, [first]) });
    expect(findings).toContainEqual(expect.objectContaining({ level: 'warning', remedy: 'Run "npm run reseal".' }));
    expect(saying(await inspect(), 'failure')).toEqual([expect.stringContaining('none is set here')]);
  });

  it('tries the signing key, and tells of logs that contradict themselves', async () => {
    const [key, other] = [secretKey(newSecretKey()), secretKey(newSecretKey())];
    expect(saying(await inspect({ secretKey: key }), 'ok')).toContain(
      'there is no signing key; the first process makes one',
    );
    const database = openDatabase(testDatabase.url);
    const { kid } = await activeSigningKey({ prisma: database.prisma, secretKey: key });
    expect(saying(await inspect({ secretKey: key }), 'ok')).toEqual(
      expect.arrayContaining([`the signing key ${kid} can be used`, 'no log contradicts its checkpoints']),
    );
    expect(saying(await inspect({ secretKey: other }), 'failure')).toEqual([
      expect.stringContaining(`The signing key ${kid} cannot be opened`),
    ]);
    const { id } = await createTenant(database.prisma, { name: 'a', plan: 'pro', region: 'eu', externalId: null });
    await client.query(`insert into logs (tenant_id, contradiction) values ($1, 'it shrank')`, [id]);
    expect(warnings(await inspect({ secretKey: key }))).toEqual([expect.stringContaining(`${id} contradicts`)]);
    await database.close();
  });

  it.each([
    ['statement_timeout', '5s', 'warning', /^statement_timeout is 5000 ms: it interrupts exports/],
    ['idle_in_transaction_session_timeout', '10s', 'warning', /^idle_in_transaction_session_timeout is 10000 ms/],
    ['idle_session_timeout', '60s', 'warning', /^idle_session_timeout is 60000 ms/],
    ['default_transaction_read_only', 'on', 'failure', /read-only by default/],
  ] as const)('sees %s = %s that the database sets for its sessions', async (setting, value, level, text) => {
    await client.query(`alter database "${name}" set ${setting} = '${value}'`);
    expect(saying(await inspect(), level)).toContainEqual(expect.stringMatching(text));
  });

  it('is not misled by a time zone or a long timeout', async () => {
    await client.query(`alter database "${name}" set timezone = 'Asia/Kolkata'`);
    await client.query(`alter database "${name}" set statement_timeout = '2h'`);
    const findings = await inspect();
    expect(warnings(findings)).toEqual([]);
    expect(saying(findings, 'ok')).toContain('sessions keep their settings');
  });

  it('counts the connections that are left for us', async () => {
    await client.query(`alter database "${name}" connection limit 40`);
    expect(warnings(await inspect())).toEqual([
      expect.stringMatching(
        /^Connections may run out: an API and a worker open up to 94 connections; \d+ of 40 are available/,
      ),
    ]);
    const without = (await inspect({ hasQueue: false })).map(({ text }) => text).join('\n');
    expect(without).toContain('open up to 74 connections');
  });

  it('asks for a management key, unless one is configured or kept', async () => {
    const none = { config: { ...config, LOGFERRY_ADMIN_KEY: undefined } };
    expect(warnings(await inspect(none))).toEqual([expect.stringContaining('nobody can create tenants')]);
    await client.query(
      `insert into api_keys (id, name, scopes, prefix, hash, created_at) values ($1, 'operator', '{}', 'p', '', now())`,
      [newId()],
    );
    expect(warnings(await inspect(none))).toEqual([]);
  });

  it('says how long work has been waiting for a worker', async () => {
    const tenantId = newId();
    await client.query(
      `insert into tenants (id, name, plan, region, created_at) values ($1, 'Test', 'pro', 'eu', now())`,
      [tenantId],
    );
    await client.query(
      `insert into exports (id, tenant_id, status, request, file_name, created_by, as_of, as_of_sequence, resumable,
         segment_rows, storage_key, progress, created_at, lease_until)
       select gen_random_uuid(), $1, status::export_status, '{}', 'f', '{}', now(), 0, true, 1, 'k', '{}',
         now() - interval '10 minutes', now() - interval '10 minutes' from unnest(array['queued', 'queued', 'running']) status`,
      [tenantId],
    );
    expect(warnings(await inspect())).toEqual([
      expect.stringMatching(/^2 exports wait for a worker, the first for 6\d\d s$/),
      'The workers of 1 exports have been silent for longer than their leases',
    ]);
  });
});

describe('inspectDatabase by another role', () => {
  const role = `logferry_doctor_${randomUUID().slice(0, 8)}`;
  let testDatabase: TestDatabase;
  let client: pg.Client;
  let url: string;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    client = new pg.Client({ connectionString: testDatabase.url });
    await client.connect();
    const password = randomUUID();
    await client.query(`create role ${role} login password '${password}'`);
    url = Object.assign(new URL(testDatabase.url), { username: role, password }).href;
  });
  afterAll(async () => {
    await client.query(`drop owned by ${role}`);
    await client.query(`drop role ${role}`);
    await client.end();
    await testDatabase.drop();
  });
  const failures = async (level: Finding['level'], at = url) =>
    (await inspectDatabase(at, { config, hasQueue: false, secretKey: undefined }))
      .filter((finding) => finding.level === level)
      .map(({ text }) => text);

  it('fails where it may not read the tables, and warns where it does not own them', async () => {
    expect(await failures('failure')).toContainEqual(expect.stringMatching(/permission denied/));
    await client.query(`grant select on _prisma_migrations to ${role}`);
    expect(await failures('failure')).toContainEqual(expect.stringMatching(/may not read and write .*exports/));
    await client.query(`grant all on all tables in schema public to ${role}`);
    expect(await failures('failure')).toEqual([expect.stringMatching(/^Row-level security hides all rows/)]);
    await client.query(`alter role ${role} bypassrls`);
    expect(await failures('failure')).toEqual([]);
    expect(await failures('warning')).toContainEqual(expect.stringMatching(/does not own .*exports/));
  });

  it('fails where it may not make the tables', async () => {
    const empty = await createTestDatabase({ empty: true });
    const at = Object.assign(new URL(url), { pathname: new URL(empty.url).pathname }).href;
    expect(await failures('failure', at)).toEqual([
      expect.stringMatching(/may not create tables in the schema public/),
      'There are no tables yet',
    ]);
    await empty.drop();
  });

  it('says so when the database is not there', async () => {
    const at = Object.assign(new URL(url), { pathname: '/not_there' }).href;
    const [finding] = await inspectDatabase(at, { config, hasQueue: false, secretKey: undefined });
    expect(finding).toMatchObject({
      level: 'failure',
      text: expect.stringContaining('"not_there" does not exist'),
      remedy: expect.stringContaining('createdb'),
    });
  });
});

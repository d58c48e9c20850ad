import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newSecretKey, secretKey } from '../../core/secret-key.ts';
import { openDatabase } from '../../prisma/client.ts';
import { activeSigningKey } from '../../prisma/log/signing-keys.ts';
import { reseal } from '../../prisma/secret-key/reseal.ts';
import { bodyOf, startApp } from '../api/start-app.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { openTestStorage } from '../engines.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

describe('A change of the secret key', () => {
  const [first, second] = [newSecretKey(), newSecretKey()];
  let testDatabase: TestDatabase;
  let storage: Awaited<ReturnType<typeof openTestStorage>>;
  beforeAll(async () => {
    [testDatabase, storage] = await Promise.all([createTestDatabase(), openTestStorage()]);
  });
  afterAll(() => Promise.all([testDatabase.drop(), storage.close()]));

  /** As `npm run reseal` and a start of the API do it, by their programs. */
  const program = (file: string, environment: Record<string, string>) =>
    run(join(root, 'node_modules', '.bin', 'node'), [join(root, file)], {
      env: { PATH: process.env.PATH, DATABASE_URL: testDatabase.url, LOGFERRY_LOG_LEVEL: 'silent', ...environment },
    }).then(
      ({ stdout }) => stdout,
      ({ stderr }) => stderr as string,
    );
  const runReseal = (environment: Record<string, string>) => program('prisma/secret-key/main.ts', environment);
  const open = (PORT: string, LOGFERRY_SECRET_KEY: string, LOGFERRY_SECRET_KEY_PREVIOUS = '') =>
    startApp({
      ...storage.environment,
      PORT,
      DATABASE_URL: testDatabase.url,
      LOGFERRY_ADMIN_KEY: 'the-management-key-of-this-test',
      LOGFERRY_SECRET_KEY,
      LOGFERRY_SECRET_KEY_PREVIOUS,
    });

  it('keeps every secret, link, token and signature, and then needs the new one alone', async () => {
    expect(await runReseal({ LOGFERRY_SECRET_KEY: first })).toContain('0 secrets were sealed anew');
    const before = await open('0', first);
    const port = new URL(before.url).port;
    const { key, call } = await before.newTenant();
    const made = await bodyOf(call('/v1/webhooks', { json: { url: 'https://example.com/hook' } }));
    await call(`/v1/webhooks/${made.id}/rotate-secret`, { method: 'POST' });
    const note = await (await call('/v1/log/checkpoint')).text();
    const credentials = { clientId: 'any', secret: 'the-management-key-of-this-test' };
    const { token } = await bodyOf(fetch(`${before.url}/auth/vendor`, post(credentials)));
    const upload = await before.deps.store.beginUpload('exports/a', 'text/csv');
    const part = await before.deps.store.putPart(upload, { partNumber: 1, offset: 0, body: [Buffer.from('rows')] });
    await before.deps.store.completeUpload(upload, [part]);
    const options = { expiresInSeconds: 600, contentType: 'text/csv', contentDisposition: 'attachment' };
    const link = await before.deps.store.signLink('exports/a', options);
    await before.close();

    const refusal = await runReseal({ LOGFERRY_SECRET_KEY: second });
    expect(refusal).toMatch(
      /LOGFERRY_SECRET_KEY is not the one this database was used with.*LOGFERRY_SECRET_KEY_PREVIOUS/,
    );
    const neither = await runReseal({ LOGFERRY_SECRET_KEY: second, LOGFERRY_SECRET_KEY_PREVIOUS: newSecretKey() });
    expect(neither).toContain('LOGFERRY_SECRET_KEY_PREVIOUS does not have it');

    const changed = await open(port, second, first);
    const caller = changed.caller(key);
    const asManagement = { headers: { 'x-access-token': token } };
    expect(await (await caller('/v1/log/checkpoint')).text()).toBe(note);
    expect((await fetch(`${changed.url}/v1/tenants`, asManagement)).status).toBe(200);
    expect(await (await fetch(link.url)).text()).toBe('rows');
    const { secretKey: both } = changed.deps;
    expect((await bodyOf(caller('/v1/webhooks', { json: { url: 'https://example.com/new' } }))).secret).toMatch(
      /^whsec_/,
    );

    expect(await runReseal({ LOGFERRY_SECRET_KEY: second, LOGFERRY_SECRET_KEY_PREVIOUS: first })).toContain(
      `3 secrets were sealed anew; the database knows the key ${both.fingerprint}`,
    );
    const alone = secretKey(second);
    const rows = await changed.database.prisma.webhook.findMany({ orderBy: { id: 'asc' } });
    expect(alone.open(rows[0]!.previousSecret!)).toBe(made.secret);
    for (const row of rows) expect(alone.open(row.secret)).toMatch(/^whsec_/);
    const { prisma } = changed.database;
    await expect(activeSigningKey({ prisma, secretKey: alone })).resolves.toMatchObject({ kid: expect.any(String) });
    expect(await runReseal({ LOGFERRY_SECRET_KEY: second })).toContain('0 secrets were sealed anew');
    expect(await runReseal({ LOGFERRY_SECRET_KEY: first })).toContain('is not the one this database was used with');
    await changed.close();
    // Six programs are started.
  }, 120_000);

  it('keeps what clients of Frontegg know the installation by', async () => {
    const { prisma, close } = openDatabase(testDatabase.url);
    const { value } = await prisma.setting.findUniqueOrThrow({ where: { name: 'environment_id' } });
    expect(value).toBe(secretKey(first).environmentId);
    await close();
  });

  it('does not have the database know the new key while something is sealed with a key that is missing', async () => {
    const own = await createTestDatabase();
    const { prisma, close } = openDatabase(own.url);
    const key = secretKey(second, [first]);
    await prisma.setting.create({ data: { name: 'secret_key_fingerprint', value: secretKey(first).fingerprint } });
    const { kid } = await activeSigningKey({ prisma, secretKey: secretKey(newSecretKey()) });
    await expect(reseal(prisma, key)).rejects.toThrow(`signing_keys.private_key of ${kid} is sealed with a key`);
    const { value } = await prisma.setting.findUniqueOrThrow({ where: { name: 'secret_key_fingerprint' } });
    expect(value).toBe(secretKey(first).fingerprint);
    await close();
    await own.drop();
  });

  it('goes through more rows than one batch has', async () => {
    const own = await createTestDatabase();
    const { prisma, pool, close } = openDatabase(own.url);
    await pool.query(
      `insert into webhooks (id, tenant_id, url, events, secret, created_at)
       select gen_random_uuid(), gen_random_uuid(), '', '{}', $1, now() from generate_series(1, 1234)`,
      [secretKey(first).seal('whsec_x')],
    );
    expect(await reseal(prisma, secretKey(second, [first]))).toBe(1234);
    const { rows } = await pool.query<{ secret: Buffer }>('select secret from webhooks');
    for (const { secret } of rows) expect(secretKey(second).open(secret)).toBe('whsec_x');
    await close();
    await own.drop();
  });
});

const post = (json: object) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(json),
});

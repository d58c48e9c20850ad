import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../core/config.ts';
import { newSecretKey } from '../../core/secret-key.ts';
import { openDeployment } from '../../prisma/deployment.ts';
import { inspectDatabase } from '../../prisma/inspect/database.ts';
import { migrate } from '../../prisma/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { hasPgBouncer, type Pooler, startPgBouncer } from '../services/pgbouncer.ts';
import { type Exporting, exportFile, startExporting } from '../worker/export-fixture.ts';

const isThere = hasPgBouncer();
if (!isThere && process.env.REQUIRE_SERVICES) throw new Error('PgBouncer is required, and not in PATH');

/** A database whose settings would change what sessions write. */
async function createForeignDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  for (const setting of [`timezone = 'Asia/Tokyo'`, `datestyle = 'German'`, `intervalstyle = 'sql_standard'`]) {
    await client.query(`alter database ${name} set ${setting}`);
  }
  await client.end();
  return database;
}

describe.skipIf(!isThere)('Behind PgBouncer that drops startup options, on a database in Tokyo,', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createForeignDatabase();
  });
  afterAll(() => database.drop());

  const inspect = (url: string) =>
    inspectDatabase(url, { config: readConfig({ DATABASE_URL: url }), hasQueue: false, secretKey: undefined });

  describe('in session mode', () => {
    let pooler: Pooler;
    let app: Exporting;
    beforeAll(async () => {
      pooler = await startPgBouncer(database.url, 'session');
      app = await startExporting({ DATABASE_URL: pooler.url });
    });
    afterAll(async () => {
      await app.close();
      await pooler.stop();
    });

    it('times come back as they were written, streams are taken, logs verify, and files are exported', async () => {
      const { call } = await app.newTenant();
      const occurred_at = '2025-06-01T00:30:00.000000Z';
      const written = await call('/v1/events', { json: { action: 'a', occurred_at } });
      expect(await written.json()).toMatchObject({ data: { occurred_at } });
      const stream = await call('/v1/events/batch', {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: `${JSON.stringify({ action: 'b', occurred_at })}\n`.repeat(3),
      });
      expect(stream.status).toBe(201);
      const { data } = (await (await call('/v1/events')).json()) as { data: { occurred_at: string }[] };
      expect(data.map((event) => event.occurred_at)).toEqual(Array(4).fill(occurred_at));
      expect(await (await call('/v1/verify')).json()).toMatchObject({ data: { status: 'valid', events_checked: 4 } });
      const { text } = await exportFile(call, { format: 'csv', properties: [{ name: 'occurred_at' }] });
      expect(text).toBe(`occurred_at\r\n${`${occurred_at}\r\n`.repeat(4)}`);
    });

    it('the doctor finds nothing wrong with sessions, and migrations find nothing to do', async () => {
      const texts = (await inspect(pooler.url)).map(({ text }) => text);
      expect(texts).toContain('sessions keep their settings');
      expect(await migrate(pooler.url)).toEqual([]);
    });
  });

  describe.each(['transaction', 'statement'] as const)('in %s mode', (mode) => {
    let pooler: Pooler;
    beforeAll(async () => {
      pooler = await startPgBouncer(database.url, mode);
    });
    afterAll(() => pooler.stop());

    it('processes and migrations refuse to start, and the doctor says why', async () => {
      const config = readConfig({
        DATABASE_URL: pooler.url,
        LOGFERRY_SECRET_KEY: newSecretKey(),
        LOGFERRY_LOG_LEVEL: 'silent',
      });
      const reason = /(behind a pooler that pools transactions|lose their settings).*pool_mode = session/;
      await expect(openDeployment(config)).rejects.toThrow(reason);
      await expect(migrate(pooler.url)).rejects.toThrow(reason);
      expect(await inspect(pooler.url)).toEqual([
        expect.objectContaining({
          level: 'failure',
          text: expect.stringMatching(/pools transactions|lose their settings/),
        }),
      ]);
    });
  });
});

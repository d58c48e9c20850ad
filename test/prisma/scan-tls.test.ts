import { chownSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../local/postgres/embedded-postgres.ts';
import { type Database, openDatabase } from '../../prisma/client.ts';
import { copyRows } from '../../prisma/copy/copy-rows.ts';
import { linePrinter } from '../../prisma/copy/row-printer.ts';
import { ensureDatabase } from '../../prisma/migrate.ts';
import { selfSignedCertificate } from '../self-signed-certificate.ts';

let server: EmbeddedPostgres;
let database: Database;

/** Lets a running server take connections by TLS. */
async function turnTlsOn(url: string, cluster: string): Promise<void> {
  const { key, cert } = selfSignedCertificate('localhost');
  const { uid, gid } = statSync(cluster);
  for (const [name, text] of Object.entries({ 'server.key': key, 'server.crt': cert })) {
    const file = join(cluster, name);
    writeFileSync(file, text, { mode: 0o600 });
    chownSync(file, uid, gid);
  }
  const plain = openDatabase(url);
  await plain.pool.query('alter system set ssl = on');
  await plain.pool.query('select pg_reload_conf()');
  await vi.waitFor(async () => expect((await plain.pool.query('show ssl')).rows).toEqual([{ ssl: 'on' }]), 10_000);
  await plain.close();
}

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'logferry-test-tls-'));
  server = await startEmbeddedPostgres({ directory, fast: true, temporary: true });
  const url = server.url('tls');
  await ensureDatabase(url);
  await turnTlsOn(url, join(directory, 'cluster'));
  database = openDatabase(`${url}?sslmode=no-verify`, { scanConnections: 1 });
}, 60_000);
afterAll(async () => {
  await database?.close();
  await server?.stop();
});

it('reads rows over TLS as they are, by a connection that serves others before and after', async () => {
  const isEncrypted = async () =>
    (await database.scans.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).rows;
  expect(await isEncrypted()).toEqual([{ ssl: true }]);
  const options = { printer: linePrinter('lf'), signal: new AbortController().signal };
  const rows: Buffer[] = [];
  const statement = `copy (select repeat(md5(n::text), 1 + n % 50) from generate_series(1, 20000) as n) to stdout`;
  for await (const { bytes } of copyRows(database.scans, statement, options)) rows.push(Buffer.from(bytes));
  const { rows: expected } = await database.scans.query<{ text: string }>(
    `select string_agg(repeat(md5(n::text), 1 + n % 50) || E'\\n', '' order by n) as text from generate_series(1, 20000) as n`,
  );
  expect(Buffer.concat(rows).toString()).toBe(expected[0]!.text);
  expect(await isEncrypted()).toEqual([{ ssl: true }]);
});

import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '../../../core/evidence/checkpoint.ts';
import { leafHash } from '../../../core/evidence/merkle-tree.ts';
import { verifierKey } from '../../../core/evidence/signed-note.ts';
import { readinessChecks } from '../../../core/health.ts';
import { inTransaction, openDatabase } from '../../../prisma/client.ts';
import { showCheckpoint } from '../../../prisma/log/checkpoints.ts';
import { logsCheck } from '../../../prisma/log/contradictions.ts';
import { examineLog } from '../../../prisma/log/examine-log.ts';
import { keepEntries, sealThrough } from '../../../prisma/log/seal.ts';
import { compareLogs } from '../../../worker/sweep/compare-logs.ts';
import { sealLogs } from '../../../worker/sweep/seal-logs.ts';
import { addEvents, addManyEvents } from '../../add-events.ts';
import { naiveTree, rootFromProof } from '../../core/evidence/naive-tree.ts';
import { heardLog } from '../heard-log.ts';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const hex = (text: string) => Buffer.from(text, 'hex');
const text = async (call: Call, path: string) => {
  const reply = await call(path);
  expect([path, reply.status, reply.headers.get('content-type')]).toEqual([path, 200, 'text/plain; charset=utf-8']);
  return reply.text();
};
const bytes = async (call: Call, path: string) => {
  const reply = await call(path);
  expect([path, reply.status, reply.headers.get('content-type')]).toEqual([path, 200, 'application/octet-stream']);
  return Buffer.from(await reply.arrayBuffer());
};
const checkpointOf = async (call: Call) => readCheckpoint(await text(call, '/v1/log/checkpoint'))!;
const hashesOf = async (tenantId: string): Promise<Buffer[]> => {
  const { rows } = await app.database.pool.query<{ hash: Buffer }>(
    'select hash from events where tenant_id = $1 order by sequence_number',
    [tenantId],
  );
  return rows.map(({ hash }) => hash);
};
const sealedSize = async (tenantId: string) =>
  Number((await app.database.prisma.log.findUnique({ where: { tenantId } }))?.sealedSize ?? 0);
const some = (count: number, action = 'test.happened') => Array.from({ length: count }, () => ({ action }));
const restart = (tenantId: string, json: object = { reason: 'The backup of 03:00 was restored.' }) =>
  app.admin(`/v1/tenants/${tenantId}/log/restart`, { json });
/** The tenant's last events and all that is known of its log go, as when an older database is restored. */
async function rollBack(tenantId: string, through: number, log: 'as it was' | 'unknown' = 'as it was'): Promise<void> {
  const { pool } = app.database;
  await pool.query('delete from events where tenant_id = $1 and sequence_number > $2', [tenantId, through]);
  await pool.query(
    `update chain_heads set sequence_number = $2, hash = coalesce((select hash from events where tenant_id = $1
       order by sequence_number desc limit 1), decode(repeat('00', 32), 'hex')) where tenant_id = $1`,
    [tenantId, through],
  );
  await pool.query('delete from log_tiles where tenant_id = $1', [tenantId]);
  if (log === 'unknown') await pool.query('delete from logs where tenant_id = $1', [tenantId]);
  else {
    await pool.query(
      'update logs set sealed_size = 0, shown_size = null, shown_root = null, shown_note = null where tenant_id = $1',
      [tenantId],
    );
  }
}

describe('The checkpoint of a log', () => {
  it('of no event is the empty tree, and then covers every event that was acknowledged', async () => {
    const { tenant, call } = await app.newTenant();
    const origin = `${new URL(app.url).host}/log/${tenant.id}`;
    expect(await checkpointOf(call)).toEqual({ origin, size: 0, root: naiveTree([]).root(0) });
    for (const count of [1, 254, 1, 1, 300]) {
      await call('/v1/events/batch', { json: { events: some(count) } });
      const hashes = await hashesOf(tenant.id);
      const checkpoint = await checkpointOf(call);
      expect(checkpoint).toEqual({ origin, size: hashes.length, root: naiveTree(hashes).root(hashes.length) });
    }
  });

  it('is signed by the active key, which the key set and /v1/log/key give; older ones stay', async () => {
    const { call } = await app.newTenant();
    await call('/v1/events', { json: { action: 'a' } });
    const before = await text(call, '/v1/log/checkpoint');
    const rotated = await app.admin('/v1/signing-keys/rotate', { method: 'POST' });
    expect(rotated.status).toBe(201);
    const key = await bodyOf(rotated);
    expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'Ed25519', use: 'sig', logferry_valid_until: null });
    const { keys } = await bodyOf(fetch(`${app.url}/.well-known/logferry-keys.json`));
    expect(keys[0]).toEqual(key);
    expect(keys[1].logferry_valid_until).toBe(key.logferry_valid_from);
    const { keys: found } = await bodyOf(app.admin('/.well-known/logferry-keys.json'));
    expect(found).toEqual(keys);

    const after = await text(call, '/v1/log/checkpoint');
    const { origin } = readCheckpoint(after)!;
    const publicKey = (jwk: { x: string }) => ({ kid: '', publicKey: Buffer.from(jwk.x, 'base64url') });
    expect(await text(call, '/v1/log/key')).toBe(
      keys.map((each: { x: string }) => `${verifierKey(origin, publicKey(each))}\n`).join(''),
    );
    for (const [note, jwk] of [
      [before, keys[1]],
      [after, keys[0]],
    ] as const) {
      const [signed, line] = note.split('\n\n');
      const signature = Buffer.from(line!.trim().split(' ')[2]!, 'base64').subarray(4);
      const verifier = createPublicKey({ key: jwk, format: 'jwk' });
      expect(verify(null, Buffer.from(`${signed}\n`), verifier, signature)).toBe(true);
    }
    const log = await bodyOf(app.admin('/v1/management-events?action=logferry.signing_key.rotated'));
    expect(log.data[0]).toMatchObject({ target: { type: 'signing_key', id: key.kid } });
    expect(JSON.stringify(log.data[0].metadata)).toContain(keys[1].kid);
  });

  it('is the same while nothing is written, and grows only, however many ask at once', async () => {
    const { tenant, call } = await app.newTenant();
    await call('/v1/events', { json: { action: 'a' } });
    expect(await text(call, '/v1/log/checkpoint')).toBe(await text(call, '/v1/log/checkpoint'));
    const seen = await Promise.all(
      Array.from({ length: 12 }, async (_, at) => {
        if (at % 2 === 0) await call('/v1/events', { json: { action: 'a' } });
        return (await checkpointOf(call)).size;
      }),
    );
    const kept = readCheckpoint((await app.deps.store.readText(`log/${tenant.id}/checkpoint`))!)!;
    expect(kept.size).toBe(Math.max(...seen));
    expect((await checkpointOf(call)).size).toBe(7);
  });

  it('has the origin of the configuration, fixed by the first one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'logferry-log-'));
    const settings = { DATABASE_URL: app.deps.config.DATABASE_URL!, STORAGE_URL: pathToFileURL(directory).href };
    const open = (LOGFERRY_ORIGIN: string) =>
      startApp({ ...settings, LOGFERRY_ORIGIN, LOGFERRY_SECRET_KEY: app.deps.config.LOGFERRY_SECRET_KEY! });
    const first = await open('audit.example.com/eu');
    const { tenant, call, key } = await first.newTenant();
    const origin = `audit.example.com/eu/log/${tenant.id}`;
    expect((await checkpointOf(call)).origin).toBe(origin);
    await first.close();
    const second = await open('other.example.com');
    expect((await checkpointOf(second.caller(key))).origin).toBe(origin);
    expect(await text(second.caller(key), '/v1/log/key')).toContain(`${origin}+`);
    await second.close();
    await rm(directory, { recursive: true });
  });

  it('is not given while the storage is away: 503, and tells nobody anything', async () => {
    const { tenant, call } = await app.newTenant();
    const { store } = app.deps;
    const { writeText } = store;
    store.writeText = async () => {
      throw new Error('away');
    };
    const reply = await call('/v1/log/checkpoint');
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '5']);
    expect((await bodyOf(reply)).error.message).toContain('Checkpoints are kept in the file storage');
    store.writeText = writeText;
    expect(await store.readText(`log/${tenant.id}/checkpoint`)).toBeUndefined();
    expect((await checkpointOf(call)).size).toBe(0);
  });
});

describe('The tiles of a log', () => {
  let tenantId: string;
  let call: Call;
  let hashes: Buffer[];
  const size = 66_000;
  beforeAll(async () => {
    const made = await app.newTenant();
    tenantId = made.tenant.id;
    call = made.call;
    await addManyEvents(app.database, tenantId, { count: size, noiseBytes: 1 });
    hashes = await hashesOf(tenantId);
  });

  it('are stored by the sweep, the full ones alone, and say so in a figure', async () => {
    await sealLogs(app.deps);
    expect(await sealedSize(tenantId)).toBe(size - (size % 256));
    const { rows } = await app.database.pool.query(
      'select level, count(*)::int as tiles from log_tiles where tenant_id = $1 group by level order by level',
      [tenantId],
    );
    expect(rows).toEqual([
      { level: 0, tiles: 257 },
      { level: 1, tiles: 1 },
    ]);
    // Again, by several at once: nothing is left to do.
    await Promise.all([1, 2, 3].map(() => sealThrough(app.database, tenantId, size)));
    expect(await sealedSize(tenantId)).toBe(size - (size % 256));
  });

  it('hold the hashes and entries of the tree, full and partial', async () => {
    expect((await checkpointOf(call)).root).toEqual(naiveTree(hashes).root(size));
    const leaves = (from: number, to: number) => Buffer.concat(hashes.slice(from, to).map(leafHash));
    expect(await bytes(call, '/v1/log/tile/0/000')).toEqual(leaves(0, 256));
    expect(await bytes(call, '/v1/log/tile/0/256')).toEqual(leaves(256 * 256, 257 * 256));
    expect(await bytes(call, '/v1/log/tile/0/257.p/208')).toEqual(leaves(257 * 256, size));
    expect(await bytes(call, '/v1/log/tile/0/000.p/3')).toEqual(leaves(0, 3));
    const roots = Array.from({ length: 257 }, (_, at) => naiveTree(hashes.slice(at * 256, at * 256 + 256)).root(256));
    expect(await bytes(call, '/v1/log/tile/1/000')).toEqual(Buffer.concat(roots.slice(0, 256)));
    expect(await bytes(call, '/v1/log/tile/1/001.p/1')).toEqual(roots[256]);
    expect(await bytes(call, '/v1/log/tile/2/000.p/1')).toEqual(naiveTree(hashes).root(65_536));
    const entries = await bytes(call, '/v1/log/tile/entries/257.p/208');
    expect(entries.length).toBe(208 * 34);
    expect(entries.subarray(207 * 34)).toEqual(Buffer.concat([Buffer.of(0, 32), hashes[size - 1]!]));
  });

  it.each([
    '0/257',
    '0/257.p/209',
    '0/258.p/1',
    '1/001',
    '1/001.p/2',
    '2/000',
    '3/000.p/1',
    'entries/257',
    'entries/x001/000',
    '0/0',
    '0/000.p/256',
    '0/000.p/0',
    '64/000',
    '00/000',
    'x/000',
    '0/x999/x999/x999/x999/x999/999',
    '0/000/',
    '0',
  ])('are a 404 where there is none: %s', async (path) => {
    expect((await call(`/v1/log/tile/${path}`)).status).toBe(404);
  });

  it('go on when events were removed after their entries were kept', async () => {
    const { tenant, call: owner } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(700));
    const [all, before] = [await hashesOf(tenant.id), await checkpointOf(owner)];
    await sealThrough(app.database, tenant.id, 700);
    await inTransaction(app.database.pool, async (sql) => {
      await keepEntries(sql, tenant.id, 650);
      await sql('delete from events where tenant_id = $1 and sequence_number <= 650', [tenant.id]);
    });
    expect(await checkpointOf(owner)).toEqual(before);
    expect((await bytes(owner, '/v1/log/tile/entries/002.p/188')).subarray(2, 34)).toEqual(all[512]);
    await addEvents(app.database, tenant.id, some(600));
    const entries = [...all.slice(0, 650), ...(await hashesOf(tenant.id))];
    expect(await checkpointOf(owner)).toMatchObject({ size: 1300, root: naiveTree(entries).root(1300) });
    expect((await bytes(owner, '/v1/log/tile/entries/002')).length).toBe(256 * 34);
  });
});

describe('Events whose entries are not sealed', () => {
  it('cannot be removed with their entries kept', async () => {
    const { tenant } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(600));
    await sealThrough(app.database, tenant.id, 300);
    const keep = (through: number) => inTransaction(app.database.pool, (sql) => keepEntries(sql, tenant.id, through));
    await expect(keep(512)).rejects.toThrow('not all 256 hashes are there');
    await expect(keep(600)).rejects.toThrow('not all 256 hashes are there');
    await expect(keep(511)).resolves.toBeUndefined();
  });
});

describe('The log of a tenant that is being deleted', () => {
  const remove = (id: string) => app.admin(`/v1/tenants/${id}`, { method: 'DELETE' });
  const deleting = async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(300));
    await checkpointOf(call);
    return { id: tenant.id, call };
  };

  it('is neither compared nor sealed any more, and contradicts nothing', async () => {
    const { id } = await deleting();
    await addEvents(app.database, id, some(300));
    expect((await remove(id)).status).toBe(202);
    await app.database.pool.query('delete from events where tenant_id = $1', [id]);
    const { log, entries } = heardLog();
    const database = openDatabase(app.deps.config.DATABASE_URL!);
    await compareLogs({ ...app.deps, database, log });
    await sealLogs({ ...app.deps, database, log });
    await sealThrough(database, id, 600);
    await expect(examineLog({ ...app.deps, database, log }, id)).rejects.toMatchObject({ type: 'not_found' });
    await database.close();
    expect(entries.filter(({ tenant_id }) => tenant_id === id)).toEqual([]);
    expect(await sealedSize(id)).toBe(256);
    expect((await app.database.prisma.log.findUnique({ where: { tenantId: id } }))?.contradiction).toBeNull();
  });

  it('has no checkpoint in the storage, though one was being written when it was removed there', async () => {
    const { id } = await deleting();
    const { store } = app.deps;
    await addEvents(app.database, id, some(1));
    const late: typeof store = {
      ...store,
      async writeText(...given) {
        expect((await remove(id)).status).toBe(202);
        await store.deleteObject(`log/${id}/checkpoint`);
        await store.writeText(...given);
        expect(await store.readText(`log/${id}/checkpoint`)).toBeDefined();
      },
    };
    await showCheckpoint({ ...app.deps, store: late }, id);
    expect(await store.readText(`log/${id}/checkpoint`)).toBeUndefined();
  });
});

describe('The proof of an event', () => {
  it('leads from the hash of the event to the root of a checkpoint that has it', async () => {
    const { call } = await app.newTenant();
    await call('/v1/events/batch', { json: { events: some(300) } });
    const { data } = await bodyOf(call('/v1/events', { json: { action: 'last' } }));
    const proof = await text(call, `/v1/events/${data.id}/proof`);
    const [head, ...note] = proof.split('\n\n');
    const [version, index, ...lines] = head!.split('\n');
    expect([version, index]).toEqual(['c2sp.org/tlog-proof@v1', 'index 300']);
    const { size, root } = readCheckpoint(note.join('\n\n'))!;
    const path = lines.map((line) => Buffer.from(line, 'base64'));
    expect(rootFromProof(leafHash(hex(data.hash)), path, { index: 300, size })).toEqual(root);
    expect((await call('/v1/events/01a2047e-98dd-7000-8000-000000000000/proof')).status).toBe(404);
  });
});

describe('A log whose database was restored', () => {
  const refused = async (call: Call, reason: string) => {
    const reply = await call('/v1/log/checkpoint');
    expect(reply.status).toBe(503);
    expect((await bodyOf(reply)).error.message).toContain(reason);
  };
  const readiness = () =>
    readinessChecks({ ...app.deps, logs: logsCheck(app.database.pool) }, 'api').find(({ name }) => name === 'log')!;

  it('has no checkpoint until the management accepts the loss, and then another name', async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(500));
    const { origin } = await checkpointOf(call);
    const { data } = await bodyOf(call('/v1/events?limit=1&to=2999-01-01'));
    await rollBack(tenant.id, 400);
    await refused(call, 'it has 400 events, and had 500');
    await expect(readiness().check()).rejects.toThrow(`The log of the tenant ${tenant.id} contradicts itself`);
    expect(readiness().isBearable!(new Error())).toBe(true);

    // Other events in the place of those that were shown.
    await addEvents(app.database, tenant.id, some(200, 'test.other'));
    await refused(call, 'its first 500 events are not those that were there');
    expect((await call(`/v1/events/${data[0].id}/proof`)).status).toBe(404);
    expect((await restart(tenant.id, {})).status).toBe(422);
    expect((await restart(tenant.id, { reason: '' })).status).toBe(422);
    await refused(call, 'are not those');

    const restarted = await restart(tenant.id);
    expect(restarted.status).toBe(200);
    expect(await bodyOf(restarted)).toEqual({ tenant_id: tenant.id, origin: `${origin}/2`, previous_origin: origin });
    const hashes = await hashesOf(tenant.id);
    expect(await checkpointOf(call)).toEqual({ origin: `${origin}/2`, size: 601, root: naiveTree(hashes).root(601) });
    await expect(readiness().check()).resolves.toBeUndefined();
    const events = await bodyOf(call('/v1/events?action=logferry.log.restarted'));
    expect(events.data[0].metadata).toEqual({
      reason: 'The backup of 03:00 was restored.',
      origin: `${origin}/2`,
      previous_origin: origin,
    });
  });

  it('from before the first checkpoint, or before a restart, is found out too', async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(5));
    const { origin } = await checkpointOf(call);
    await rollBack(tenant.id, 3, 'unknown');
    await refused(call, 'it has 3 events, and had 5');
    await restart(tenant.id);
    expect((await checkpointOf(call)).origin).toBe(`${origin}/2`);
    await rollBack(tenant.id, 3, 'unknown');
    await refused(call, `a checkpoint of ${origin}/2 is kept in the storage`);
    expect((await bodyOf(restart(tenant.id))).origin).toBe(`${origin}/3`);
    expect(await checkpointOf(call)).toMatchObject({ origin: `${origin}/3`, size: 4 });
  });

  it('is good again when the newest database is there again', async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(3));
    const before = await checkpointOf(call);
    await app.database.pool.query('update chain_heads set sequence_number = 2 where tenant_id = $1', [tenant.id]);
    await refused(call, 'it has 2 events, and had 3');
    await app.database.pool.query('update chain_heads set sequence_number = 3 where tenant_id = $1', [tenant.id]);
    expect(await checkpointOf(call)).toEqual(before);
    await expect(readiness().check()).resolves.toBeUndefined();
  });

  it('is found out by a worker that starts, which says so in its log', async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(3));
    await checkpointOf(call);
    await rollBack(tenant.id, 2, 'unknown');
    const database = openDatabase(app.deps.config.DATABASE_URL!);
    const { log, entries } = heardLog();
    await compareLogs({ ...app.deps, database, log });
    expect(entries.filter(({ tenant_id }) => tenant_id === tenant.id)).toMatchObject([
      { msg: 'the log contradicts a checkpoint that was shown' },
    ]);
    await expect(readiness().check()).rejects.toThrow(tenant.id);
    await compareLogs({ ...app.deps, database, log });
    await database.close();
    await restart(tenant.id);
  });

  it('has no checkpoint where somebody has removed events in the middle', async () => {
    const { tenant, call } = await app.newTenant();
    await addEvents(app.database, tenant.id, some(300));
    await app.database.pool.query('delete from events where tenant_id = $1 and sequence_number = 17', [tenant.id]);
    await refused(call, 'not all 256 hashes are there');
    await expect(sealLogs(app.deps)).rejects.toThrow('1 of 1 failed');
  });
});

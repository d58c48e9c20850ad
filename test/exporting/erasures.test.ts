import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { RunningWorker } from '../../worker/start-worker.ts';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { leastPartMib } from '../engines.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts';
import {
  type Exporting,
  endedExport,
  exportFile,
  fetchFile,
  queueExport,
  startExporting,
} from '../worker/export-fixture.ts';
import { workerSettings } from '../worker/worker-process.ts';

/** The store, but a part of this number waits to be stored, once, until it is released. */
function holdPart(store: ObjectStore, partNumber: number) {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let isHeld = false;
  const putPart: ObjectStore['putPart'] = async (upload, part, options) => {
    if (part.partNumber === partNumber && !isHeld) {
      isHeld = true;
      reached.resolve();
      await released.promise;
    }
    return store.putPart(upload, part, options);
  };
  return { store: { ...store, putPart }, reached: reached.promise, release: released.resolve };
}

describe('An erasure', () => {
  let app: Exporting;
  let worker: RunningWorker;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    receiver = await startWebhookReceiver();
    app = await startExporting({ ...workerSettings, LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' }, { worker: false });
    worker = await app.work();
  });
  afterAll(async () => {
    await app.close();
    await receiver.close();
  });

  const erase = async (call: Call, json: object, headers: Record<string, string> = {}) =>
    call('/v1/erasures', { json, headers: { prefer: 'wait=30', ...headers } });
  const wanted = { filter: { actor_id: 'ana' }, compartments: ['person', 'context'], reason: 'Asked for' };
  const ana = {
    action: 'user.login',
    actor: { id: 'ana', name: 'Ana', email: 'ana@example.com', meta: { age: 7 } },
    target: { type: 'app', id: 'console' },
    context: { ip: '192.0.2.7', more: 'x' },
    metadata: { secret: 'kept' },
  };
  const bob = { ...ana, actor: { id: 'bob', name: 'Bob' } };

  async function newLog() {
    const made = await app.newTenant();
    await made.call('/v1/events/batch', { json: { events: [ana, bob, ana] } });
    return made;
  }
  const verdict = async (call: Call) => (await bodyOf(call('/v1/verify'))).data.status;
  const events = async (call: Call) => (await bodyOf(call('/v1/events?sort=sequence_number&action=user.*'))).data;

  it('takes the values of what matches away; the chain holds, and the rest stays', async () => {
    const { call, tenant } = await newLog();
    const before = await events(call);
    const reply = await erase(call, wanted);
    expect([reply.status, await bodyOf(reply)]).toMatchObject([
      200,
      { object: 'erasure', status: 'completed', filter: { actor_id: null }, matched: 2, erased: 2, exports: [] },
    ]);
    const after = await events(call);
    expect(after[1]).toEqual(before[1]);
    expect(after[0]).toEqual({
      ...before[0],
      actor: { ...before[0].actor, name: null, email: null, meta: null },
      context: { ip: null, user_agent: null },
      proof: {
        salts: Object.fromEntries(
          ['what', 'actor', 'target', 'detail'].map((name) => [name, expect.stringMatching(/^[0-9a-f]{32}$/)]),
        ),
        erased: { person: expect.stringMatching(/^[0-9a-f]{64}$/), context: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
    });
    expect(await verdict(call)).toBe('valid');
    const rows = await app.database.pool.query(
      'select seed, context_ip from events where tenant_id = $1 and actor_id = $2',
      [tenant.id, 'ana'],
    );
    expect(rows.rows).toEqual(Array(2).fill({ seed: null, context_ip: null }));
    const again = await bodyOf(erase(call, wanted));
    expect(again).toMatchObject({ matched: 2, erased: 0 });
    expect(await events(call)).toEqual(after);
    const more = await bodyOf(erase(call, { ...wanted, compartments: ['person', 'actor', 'target', 'detail'] }));
    expect(more).toMatchObject({ matched: 2, erased: 2 });
    expect((await events(call))[0]).toMatchObject({
      actor: { id: null, type: null },
      target: { id: null, type: 'app', meta: null },
      metadata: {},
    });
    expect(await verdict(call)).toBe('valid');
    const told = (await bodyOf(call('/v1/events?action=logferry.e*.*&sort=sequence_number'))).data;
    expect(told.map((event: { action: string }) => event.action)).toEqual(
      Array(3).fill(['logferry.erasure.created', 'logferry.events.erased']).flat(),
    );
    expect(JSON.stringify(told)).not.toMatch(/Ana|192\.0\.2|"ana"/);
  });

  it('only counts in a dry run, and nothing while the tenant is on hold', async () => {
    const { call, tenant } = await newLog();
    const dry = await erase(call, { ...wanted, dry_run: true });
    expect([dry.status, await bodyOf(dry)]).toMatchObject([200, { id: null, matched: 2, erased: null }]);
    expect((await bodyOf(call('/v1/erasures'))).data).toEqual([]);
    await app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json: { legal_hold: true } });
    for (const dry_run of [true, false]) expect((await erase(call, { ...wanted, dry_run })).status).toBe(409);
    expect((await events(call))[0].actor.name).toBe('Ana');
  });

  it('names exports whose files may hold what went, and deletes those files if asked to', async () => {
    const { call } = await newLog();
    const { view } = await exportFile(call, { format: 'ndjson' });
    const kept = await bodyOf(erase(call, wanted));
    expect(kept.exports).toEqual([view.id]);
    const deleted = await bodyOf(erase(call, { ...wanted, delete_files: true }));
    expect(deleted.exports).toEqual([view.id]);
    expect((await call(`/v1/exports/${view.id}/download`, { redirect: 'manual' })).status).toBe(410);
    await expect.poll(async () => (await fetch(view.download_url!)).status).toBe(404);
  });

  it('has an export that is under way with parts stored start again, so that nothing of what went is in its file', async () => {
    const { call, tenant } = await app.newTenant();
    const made = { ...ana, metadata: { secret: 'kept', long: 'x'.repeat(5000) } };
    await addEvents(app.database, tenant.id, Array(450 * leastPartMib).fill(made));
    await worker.stop();
    const { store, reached, release } = holdPart(app.deps.store, 2);
    worker = await app.work({ store });
    const id = await queueExport(call, { format: 'ndjson', sort: [{ field: 'sequence_number' }] });
    await reached;
    const rowOf = () => app.database.prisma.export.findUniqueOrThrow({ where: { id }, include: { checkpoints: true } });
    await expect.poll(async () => (await rowOf()).checkpoints.length).toBeGreaterThan(0);
    const before = await rowOf();
    const { status, exports } = await bodyOf(erase(call, wanted));
    expect([status, exports]).toEqual(['completed', []]);
    const restarted = await rowOf();
    expect(restarted.epoch).toBeGreaterThan(before.epoch);
    expect(restarted.uploadId).not.toBe(before.uploadId);
    release();
    const { text, view } = await fetchFile(await endedExport(call, id));
    expect(view.rows).toBe(450 * leastPartMib);
    expect(text).not.toContain('ana@example.com');
  }, 120_000);

  it('tells webhooks that it is completed, without a value of its filter', async () => {
    const { call } = await newLog();
    await call('/v1/webhooks', { json: { url: receiver.url, events: ['erasure.*'] } });
    const done = await bodyOf(erase(call, wanted));
    await expect.poll(() => receiver.received).toHaveLength(1);
    const { type, data } = JSON.parse(receiver.received[0]!.body);
    expect([type, data]).toEqual(['erasure.completed', done]);
    expect(receiver.received[0]!.body).not.toContain('"ana"');
  });

  it('fails when a hold comes while it runs; what went by then is told of, and files are kept', async () => {
    const { call, tenant } = await newLog();
    const { view } = await exportFile(call, { format: 'ndjson' });
    const { id } = await bodyOf(erase(call, wanted));
    // As if it had one event left when the hold came.
    await app.admin(`/v1/tenants/${tenant.id}`, { method: 'PATCH', json: { legal_hold: true } });
    await app.database.pool.query(
      `update erasures set status = 'queued', position = position - 1, completed_at = null, delete_files = true,
         filter = '{"actor_id":"ana"}' where id = $1`,
      [id],
    );
    const failed = () => bodyOf(call(`/v1/erasures/${id}`));
    await expect.poll(failed).toMatchObject({
      ...{ status: 'failed', error: { code: 'legal_hold', retryable: false }, filter: { actor_id: null } },
      ...{ matched: 2, erased: 2 },
    });
    const told = (await bodyOf(call('/v1/events?action=logferry.events.erased&sort=sequence_number'))).data;
    expect(told.map(({ metadata }: { metadata: object }) => metadata)).toMatchObject([
      { erasure_id: id, status: 'completed' },
      { erasure_id: id, status: 'failed', erased: 2 },
    ]);
    expect(await bodyOf(call(`/v1/exports/${view.id}`))).toMatchObject({ status: 'completed' });
  });

  it('is made once for one Idempotency-Key', async () => {
    const { call } = await newLog();
    const first = await bodyOf(erase(call, wanted, { 'idempotency-key': 'k' }));
    const second = await erase(call, wanted, { 'idempotency-key': 'k' });
    expect([second.headers.get('idempotency-replayed'), (await bodyOf(second)).id]).toEqual(['true', first.id]);
    const other = await erase(call, { ...wanted, reason: 'Another' }, { 'idempotency-key': 'k' });
    expect((await bodyOf(other)).error.type).toBe('idempotency_mismatch');
  });

  it.each([
    [{ filter: {} }, 'filter', 'not be empty'],
    [{ compartments: [] }, 'compartments', 'at least one'],
    [{ compartments: ['what'] }, 'compartments.0', 'Allowed: actor'],
    [{ reason: '' }, 'reason', 'not be empty'],
    [{ reason: 'x'.repeat(501) }, 'reason', 'at most 500'],
  ])('of %j is a 422', async (change, path, message) => {
    const { call } = await app.newTenant();
    const reply = await erase(call, { ...wanted, ...change });
    expect([reply.status, (await bodyOf(reply)).errors]).toEqual([
      422,
      [{ path, message: expect.stringContaining(message) }],
    ]);
  });

  it('needs a scope that is given by name only', async () => {
    const { call } = await app.newTenant();
    const { key, scopes } = await bodyOf(call('/v1/api-keys', { json: { name: 'all' } }));
    expect(scopes).not.toContain('erase');
    expect((await erase(app.caller(key), wanted)).status).toBe(403);
    const named = await bodyOf(call('/v1/api-keys', { json: { name: 'privacy', scopes: ['erase'] } }));
    expect((await erase(app.caller(named.key), wanted)).status).toBe(200);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '../../core/evidence/checkpoint.ts';
import { inTransaction } from '../../prisma/client.ts';
import { appendEvents } from '../../prisma/events/append.ts';
import { expireEvents } from '../../worker/sweep/expire-events.ts';
import { bodyOf, type Call, type Tenant } from '../api/start-app.ts';
import { naiveLeaf, naiveTree, rootFromProof } from '../core/evidence/naive-tree.ts';
import { newEvent } from '../prisma/event-database.ts';
import { type Exporting, endedExport, exportFile, queueExport, startExporting } from '../worker/export-fixture.ts';

/** When events of these tests are received that are to have lived their time. */
const longAgo = '2025-01-01T00:00:00.000000Z';

describe('Retention', () => {
  let app: Exporting;
  beforeAll(async () => {
    const LOGFERRY_PLAN_LIMITS = '{"enterprise": {"retention_days": 2}}';
    app = await startExporting({ LOGFERRY_PLAN_LIMITS }, { worker: false });
  });
  afterAll(() => app.close());

  const pool = () => app.database.pool;
  const sweepNow = () => expireEvents(app.deps);
  /** Appends events as if they had been received at this time; the chain holds. */
  async function append(tenantId: string, count: number, received_at = new Date().toISOString().replace('Z', '000Z')) {
    await inTransaction(pool(), async (sql) => {
      const real = Date.now;
      // The time is part of what is hashed, so it must be so from the beginning.
      Date.now = () => Date.parse(received_at);
      try {
        const events = Array.from({ length: count }, (_, n) => newEvent({ action: 'a', metadata: { n } }));
        await appendEvents(sql, tenantId, events);
      } finally {
        Date.now = real;
      }
    });
  }
  const patch = (id: string, json: object) => app.admin(`/v1/tenants/${id}`, { method: 'PATCH', json });
  const numbersOf = async (id: string): Promise<number[]> =>
    (
      await pool().query('select sequence_number as n from events where tenant_id = $1 order by sequence_number', [id])
    ).rows.map(({ n }) => Number(n));
  const told = async (call: Call) =>
    (await bodyOf(call('/v1/events?action=logferry.events.expired&sort=sequence_number'))).data.map(
      (event: { metadata: object }) => event.metadata,
    );
  /** A tenant whose first 300 events have lived their time under a retention of ten days; 10 have not. */
  async function newLog(retention: object = { retention_days: 10 }): Promise<{ tenant: Tenant; call: Call }> {
    const made = await app.newTenant();
    await append(made.tenant.id, 300, longAgo);
    await append(made.tenant.id, 10);
    // Writes an event of its own, the 311th.
    await patch(made.tenant.id, retention);
    return made;
  }

  it('removes what was received longer ago; what is left is numbered, linked and verified as before', async () => {
    const { tenant, call } = await newLog();
    const before = (await bodyOf(call('/v1/events?sort=sequence_number&after_sequence=300&limit=1'))).data[0];
    await sweepNow();
    expect(await numbersOf(tenant.id)).toEqual(Array.from({ length: 12 }, (_, n) => 301 + n));
    const { data } = await bodyOf(call('/v1/events?sort=sequence_number&limit=1'));
    expect(data).toEqual([before]);
    expect(await bodyOf(call('/v1/verify'))).toMatchObject({
      data: { status: 'valid', events_checked: 12, first_event_id: before.id, broken_at_event_id: null },
    });
    expect(await told(call)).toEqual([{ through_sequence: 300, count: 300 }]);
    await sweepNow();
    expect(await told(call)).toHaveLength(1);
  });

  it('leaves the Merkle tree as it was: checkpoints, tiles and proofs go on, and agree with the one before', async () => {
    const { tenant, call } = await newLog();
    const text = async (path: string) => (await call(path)).text();
    const hashes = async () =>
      (
        await pool().query<{ hash: Buffer }>('select hash from events where tenant_id = $1 order by sequence_number', [
          tenant.id,
        ])
      ).rows.map(({ hash }) => hash);
    const [all, before] = [await hashes(), readCheckpoint(await text('/v1/log/checkpoint'))!];
    expect(before).toMatchObject({ size: 311, root: naiveTree(all).root(311) });
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(301);
    // The second prefix ends in the same bundle as the first.
    await pool().query('update tenants set retention_days = null where id = $1', [tenant.id]);
    await append(tenant.id, 20);
    const expected = [...all, ...(await hashes()).slice(11)];
    const bundle = async (path: string) => {
      const bytes = Buffer.from(await (await call(`/v1/log/tile/entries/${path}`)).arrayBuffer());
      return Array.from({ length: bytes.length / 34 }, (_, at) => bytes.subarray(34 * at + 2, 34 * (at + 1)));
    };
    const agrees = async () => {
      const now = readCheckpoint(await text('/v1/log/checkpoint'))!;
      const entries = [...(await bundle('000')), ...(await bundle(`001.p/${now.size - 256}`))];
      expect(entries.slice(0, expected.length)).toEqual(expected);
      expect(naiveTree(entries).root(now.size)).toEqual(now.root);
      expect(naiveTree(entries).root(before.size)).toEqual(before.root);
      const { data } = await bodyOf(call('/v1/events?sort=sequence_number&limit=1'));
      const [head, ...note] = (await text(`/v1/events/${data[0].id}/proof`)).split('\n\n');
      const { size, root } = readCheckpoint(note.join('\n\n'))!;
      const path = head!
        .split('\n')
        .slice(2)
        .map((line) => Buffer.from(line, 'base64'));
      const index = data[0].sequence_number - 1;
      expect(rootFromProof(naiveLeaf(Buffer.from(data[0].hash, 'hex')), path, { index, size })).toEqual(root);
      return data[0].sequence_number;
    };
    expect(await agrees()).toBe(301);
    await pool().query(`update tenants set retention_days = 1 where id = $1`, [tenant.id]);
    await pool().query(
      `update events set received_at = received_at - interval '2 days' where tenant_id = $1 and sequence_number <= 310`,
      [tenant.id],
    );
    await sweepNow();
    expect(await agrees()).toBe(311);
    const worker = await app.work();
    const { view } = await exportFile(call, { format: 'ndjson' });
    await worker.stop();
    const { dsseEnvelope } = await bodyOf(call(`/v1/exports/${view.id}/receipt`));
    const { predicate } = JSON.parse(Buffer.from(dsseEnvelope.payload, 'base64').toString());
    expect(predicate).toMatchObject({ first_sequence: 311, last_sequence: view.as_of_sequence, rows: view.rows });
    expect(readCheckpoint(predicate.checkpoint)).toMatchObject({ size: view.as_of_sequence });
  });

  it('is seen to by verification when more is gone than it removed, or an event stands before the beginning', async () => {
    const { tenant, call } = await newLog();
    await sweepNow();
    const status = async () => (await bodyOf(call('/v1/verify'))).data.status;
    await pool().query('create temporary table if not exists aside as select * from events limit 0');
    const { rows } = await pool().query(
      `delete from events where tenant_id = $1 and sequence_number = 301 returning to_json(events) as event`,
      [tenant.id],
    );
    expect(await status()).toBe('broken');
    const { event } = rows[0];
    await pool().query(`insert into events select * from json_populate_record(null::events, $1)`, [
      JSON.stringify(event),
    ]);
    expect(await status()).toBe('valid');
    const stray = JSON.stringify({ ...event, sequence_number: 7, id: '018f0000-0000-7000-8000-000000000007' });
    await pool().query(`insert into events select * from json_populate_record(null::events, $1)`, [stray]);
    expect(await status()).toBe('broken');
  });

  it('stops at the first event that has not lived its time, though later ones have', async () => {
    const { tenant } = await app.newTenant();
    await append(tenant.id, 5, longAgo);
    await append(tenant.id, 1);
    await append(tenant.id, 5, longAgo);
    await patch(tenant.id, { retention_days: 10 });
    await sweepNow();
    expect((await numbersOf(tenant.id)).slice(0, 2)).toEqual([6, 7]);
  });

  it('is that of the plan where the tenant has none, and for ever where neither has', async () => {
    const ofPlan = await newLog({ plan: 'enterprise' });
    const longer = await newLog({ plan: 'enterprise', retention_days: 36_500 });
    const forEver = await newLog({ name: 'For ever' });
    await sweepNow();
    expect((await numbersOf(ofPlan.tenant.id))[0]).toBe(301);
    for (const { tenant } of [longer, forEver]) expect((await numbersOf(tenant.id))[0]).toBe(1);
  });

  it('removes nothing while the tenant is on hold, and nothing more once it is', async () => {
    const { tenant, call } = await newLog({ retention_days: 10, legal_hold: true });
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(1);
    await patch(tenant.id, { legal_hold: false });
    const waiting = await queueExport(call, { format: 'csv' });
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(1);
    // Hidden already, and not removed yet: the hold brings it back.
    expect((await queuedView(call)).expired_through).toBe(300);
    await patch(tenant.id, { legal_hold: true });
    expect(await bodyOf(call('/v1/verify'))).toMatchObject({ data: { status: 'valid' } });
    expect((await queuedView(call)).expired_through).toBeNull();
    await call(`/v1/exports/${waiting}`, { method: 'DELETE' });
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(1);
  });

  const queuedView = async (call: Call, filter: object = {}) =>
    bodyOf(call('/v1/exports', { json: { format: 'ndjson', filter } }));

  it('waits for exports that may read what goes, a day at most: then they fail with rows_expired', async () => {
    const { tenant, call } = await newLog();
    const id = await queueExport(call, { format: 'csv' });
    const later = await queueExport(call, { format: 'csv', filter: { after_sequence: 300 } });
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(1);
    expect(await told(call)).toEqual([]);
    await pool().query(
      `update exports set rows_kept_until = rows_kept_until - interval '24 hours' where tenant_id = $1`,
      [tenant.id],
    );
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(301);
    expect(await bodyOf(call(`/v1/exports/${id}`))).toMatchObject({
      status: 'failed',
      error: { code: 'rows_expired', retryable: false },
    });
    expect(await bodyOf(call(`/v1/exports/${later}`))).toMatchObject({ status: 'queued', expired_through: null });
    expect(await told(call)).toEqual([{ through_sequence: 300, count: 300 }]);
  });

  it('lets an export that waited have all its rows, and one that came later have what is left', async () => {
    const { call, tenant } = await newLog();
    const first = await queueExport(call, { format: 'ndjson', sort: [{ field: 'sequence_number' }] });
    await sweepNow();
    const filter = { after_sequence: 100 };
    const second = await queueExport(call, { format: 'ndjson', filter, sort: [{ field: 'sequence_number' }] });
    const worker = await app.work();
    expect(await endedExport(call, first)).toMatchObject({ status: 'completed', rows: 311, expired_through: null });
    const left = await endedExport(call, second);
    expect(left).toMatchObject({ status: 'completed', expired_through: 300, as_of_sequence: 312 });
    expect(left.rows).toBe(12);
    await worker.stop();
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(301);
    expect((await exported(call, {})).rows).toBe(left.rows! + 4);
  });

  async function exported(call: Call, request: object) {
    const worker = await app.work();
    try {
      return (await exportFile(call, { format: 'ndjson', ...request })).view;
    } finally {
      await worker.stop();
    }
  }

  it('waits for streams of events that are under way', async () => {
    const { call, tenant } = await newLog();
    await pool().query(
      'update events set description = repeat(md5(random()::text), 2500) where tenant_id = $1 and sequence_number <= 300',
      [tenant.id],
    );
    const reply = await call('/v1/events/export');
    const reader = reply.body!.getReader();
    const chunks = [(await reader.read()).value!];
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(1);
    for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toHaveLength(311);
    await expect
      .poll(async () => {
        await sweepNow();
        return (await numbersOf(tenant.id))[0];
      })
      .toBe(301);
  });

  it('leaves estimates, streams, totals and own ids right', async () => {
    const { call, tenant } = await app.newTenant();
    const id = '01a2047e-98dd-7000-8000-0123456789ab';
    await inTransaction(pool(), (sql) => appendEvents(sql, tenant.id, [newEvent({ id, action: 'mine' })]));
    const old = await newLog();
    await sweepNow();
    expect(await bodyOf(old.call('/v1/exports/estimate', { json: { format: 'csv' } }))).toMatchObject({
      rows: 12,
      rows_is: 'exact',
    });
    const streamed = await bodyOf(old.call('/v1/events/export'));
    expect(streamed.map((event: { sequence_number: number }) => event.sequence_number)[0]).toBe(301);
    const headers = { 'frontegg-tenant-id': old.tenant.id };
    // The stream writes its own event when it has ended.
    await expect.poll(async () => (await bodyOf(app.admin('/audits?count=1', { headers }))).total).toBe(13);
    const again = await call('/v1/events', { json: { id, action: 'again' } });
    expect((await bodyOf(again)).data.action).toBe('mine');
  });

  it('goes on numbering when all events have lived their time', async () => {
    const { tenant, call } = await app.newTenant();
    await append(tenant.id, 20, longAgo);
    await pool().query('update tenants set retention_days = 1 where id = $1', [tenant.id]);
    await sweepNow();
    expect(await numbersOf(tenant.id)).toEqual([21]);
    expect(await told(call)).toEqual([{ through_sequence: 20, count: 20 }]);
    expect(await bodyOf(call('/v1/verify'))).toMatchObject({ data: { status: 'valid', events_checked: 1 } });
  });

  it('is done by several workers at once as by one', async () => {
    const { tenant, call } = await newLog();
    await Promise.all([1, 2, 3].map(sweepNow));
    await sweepNow();
    expect((await numbersOf(tenant.id))[0]).toBe(301);
    expect(await told(call)).toEqual([{ through_sequence: 300, count: 300 }]);
    expect(await bodyOf(call('/v1/verify'))).toMatchObject({ data: { status: 'valid' } });
  });
});

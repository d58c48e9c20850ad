import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '../../core/evidence/checkpoint.ts';
import { inTransaction, pgSql } from '../../prisma/client.ts';
import { appendEvents } from '../../prisma/events/append.ts';
import { addEvents } from '../add-events.ts';
import { bodyOf, type Call } from '../api/start-app.ts';
import { naiveTree } from '../core/evidence/naive-tree.ts';
import { file, programs, removePrograms } from '../docs/verify-programs.ts';
import { eraseCompartments } from '../prisma/erase-compartments.ts';
import { newEvent } from '../prisma/event-database.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';
import { type Exporting, endedExport, exportFile, queueExport, startExporting } from '../worker/export-fixture.ts';

describe('The receipt of an export', () => {
  let app: Exporting;
  beforeAll(async () => {
    app = await startExporting({ LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' });
  });
  afterAll(async () => {
    await app.close();
    removePrograms();
  });

  const newLog = async (count: number) => {
    const made = await app.newTenant();
    const events = Array.from({ length: count }, (_, at) => ({ action: at % 10 === 3 ? 'user.login' : 'file.read' }));
    await addEvents(app.database, made.tenant.id, events);
    return made;
  };
  const receiptOf = async (call: Call, id: string): Promise<string> => {
    const reply = await call(`/v1/exports/${id}/receipt`);
    expect([reply.status, reply.headers.get('content-type')]).toEqual([
      200,
      'application/vnd.dev.sigstore.bundle.v0.3+json',
    ]);
    return reply.text();
  };
  const keySet = async () => (await bodyOf(fetch(`${app.url}/.well-known/logferry-keys.json`))).keys;

  /** As anybody does who has our public keys and nothing else. @throws what is wrong */
  async function verified(receipt: string) {
    const bundle = bundleFromJSON(JSON.parse(receipt));
    const keys = await keySet();
    const nothing = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
    const publicKey = (hint: string) => ({
      publicKey: createPublicKey({ key: keys.find(({ kid }: { kid: string }) => kid === hint), format: 'jwk' }),
      validFor: () => true,
    });
    new Verifier({ ...nothing, publicKey }, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 }).verify(
      toSignedEntity(bundle),
    );
    const { dsseEnvelope } = JSON.parse(receipt);
    expect(dsseEnvelope.payloadType).toBe('application/vnd.in-toto+json');
    return JSON.parse(Buffer.from(dsseEnvelope.payload, 'base64').toString());
  }

  it('is accepted by @sigstore/verify with our public key, and says what the file is and of which events', async () => {
    const { tenant, call } = await newLog(300);
    const { view, stored } = await exportFile(call, { format: 'ndjson', compression: 'gzip' });
    const receipt = await receiptOf(call, view.id);
    const { _type, subject, predicateType, predicate } = await verified(receipt);
    expect(_type).toBe('https://in-toto.io/Statement/v1');
    expect(predicateType).toBe('https://logferry.dev/attestations/export/v1');
    expect(subject).toEqual([
      { name: view.file_name, digest: { sha256: createHash('sha256').update(stored).digest('hex') } },
    ]);
    const { rows: hashes } = await app.database.pool.query<{ hash: Buffer }>(
      'select hash from events where tenant_id = $1 and sequence_number <= $2 order by sequence_number',
      [tenant.id, view.as_of_sequence],
    );
    const size = view.as_of_sequence;
    const origin = `${new URL(app.url).host}/log/${tenant.id}`;
    const { checkpoint, ...said } = predicate;
    expect(readCheckpoint(checkpoint)).toEqual({
      origin,
      size,
      root: naiveTree(hashes.map(({ hash }) => hash)).root(size),
    });
    expect(said).toEqual({
      export_id: view.id,
      tenant: { id: tenant.id, external_id: null },
      origin,
      request: { format: 'ndjson', compression: 'gzip', filter: {}, properties: view.properties, sort: view.sort },
      files: [
        {
          name: view.file_name,
          format: 'ndjson',
          compression: 'gzip',
          content_type: 'application/gzip',
          rows: view.rows,
          bytes: view.bytes,
          sha256: view.sha256,
        },
      ],
      as_of: view.as_of,
      as_of_sequence: size,
      after_sequence: 0,
      first_sequence: 1,
      last_sequence: size,
      rows: size,
      bytes: view.bytes,
      erased_rows: 0,
      neutralized_cells: null,
      truncated_cells: null,
      redacted: [],
      head: { sequence_number: size, hash: hashes.at(-1)!.hash.toString('hex') },
      previous_receipt: null,
      created_by: { type: view.created_by.type, id: view.created_by.id },
      created_at: view.created_at,
      completed_at: view.completed_at,
      software: { name: 'logferry', version: expect.any(String) },
    });
  });

  it('is refused when one byte of it was changed', async () => {
    const { call } = await newLog(3);
    const { view } = await exportFile(call, { format: 'csv' });
    const bundle = JSON.parse(await receiptOf(call, view.id));
    const payload = Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString().replace('"rows":3', '"rows":2');
    bundle.dsseEnvelope.payload = Buffer.from(payload).toString('base64');
    await expect(verified(JSON.stringify(bundle))).rejects.toThrow();
  });

  it('names the first and last event of a filtered file, and none of an empty one', async () => {
    const { call } = await newLog(50);
    const csv = { formulas: 'neutralize' };
    const request = { format: 'csv', csv, filter: { action: 'user.login', after_sequence: 10 } };
    const filtered = await verified(await receiptOf(call, (await exportFile(call, request)).view.id));
    expect(filtered.predicate).toMatchObject({
      first_sequence: 14,
      last_sequence: 44,
      after_sequence: 10,
      rows: 4,
      neutralized_cells: 0,
      request: { filter: request.filter, csv },
    });
    const { view } = await exportFile(call, { format: 'csv', filter: { action: 'nothing' } });
    const empty = await verified(await receiptOf(call, view.id));
    expect(empty.predicate).toMatchObject({ first_sequence: null, last_sequence: null, rows: 0 });
  });

  it('counts the cells that were neutralized, and the events in the file of which something was erased', async () => {
    const { tenant, call } = await app.newTenant();
    const written = Array.from({ length: 12 }, (_, at) =>
      newEvent({ action: at % 2 ? 'odd' : 'even', description: '=1+1', actor: { name: 'Somebody' } }),
    );
    await inTransaction(app.database.pool, (sql) => appendEvents(sql, tenant.id, written));
    const sql = pgSql(app.database.pool);
    for (const at of [0, 1, 2, 7]) {
      await eraseCompartments(sql, written[at]!, { tenant: tenant.id, erasing: ['person'] });
    }
    const csv = { formulas: 'neutralize' };
    const said = async (request: object) => {
      const { view } = await exportFile(call, request);
      return (await verified(await receiptOf(call, view.id))).predicate;
    };
    expect(await said({ format: 'csv', csv, filter: { through_sequence: 12 } })).toMatchObject({
      rows: 12,
      erased_rows: 4,
      neutralized_cells: 12,
    });
    const filter = { action: 'even', after_sequence: 1, through_sequence: 12 };
    expect(await said({ format: 'ndjson', filter })).toMatchObject({
      rows: 5,
      erased_rows: 1,
      neutralized_cells: null,
    });
  });

  it.each(['none', 'gzip', 'zstd'])(
    'is found to hold, with a file packed as %s, by the programs of docs/verify.md',
    async (compression) => {
      const { tenant, call } = await app.newTenant();
      // Packed files of this length have several members or frames.
      const description = randomBytes(400).toString('hex');
      await addEvents(
        app.database,
        tenant.id,
        Array.from({ length: 2_000 }, () => ({ action: 'a', description })),
      );
      const { view, stored } = await exportFile(call, { format: 'ndjson', compression });
      const paths = [
        file('export', stored),
        file('receipt.json', await receiptOf(call, view.id)),
        file('keys.json', JSON.stringify({ keys: await keySet() })),
      ];
      const spoiled = file('spoiled', Buffer.concat([stored, Buffer.from('\n')]));
      for (const [name, check, skipped] of programs) {
        if (skipped) continue;
        const { status, text } = await check(...paths);
        expect(text).toContain('file: unchanged');
        if (name === 'Node' || compression !== 'zstd') {
          expect(text).toContain(`${view.rows} events intact, 1 to ${view.as_of_sequence} without a gap`);
          expect(text).toContain('root of the checkpoint: good\n');
        }
        expect(status).toBe(0);
        expect((await check(spoiled, ...paths.slice(1))).status).toBe(1);
      }
    },
    60_000,
  );

  it('of an empty log has its head before the first event', async () => {
    const { call } = await app.newTenant();
    const { view } = await exportFile(call, { format: 'json' });
    const { predicate } = await verified(await receiptOf(call, view.id));
    expect(predicate.head).toEqual({ sequence_number: 0, hash: '0'.repeat(64) });
    expect(readCheckpoint(predicate.checkpoint)).toMatchObject({ size: 0 });
  });

  it('stays the same when the key is changed and the file is gone, and is found by its URL', async () => {
    const { call } = await newLog(5);
    const { view } = await exportFile(call, { format: 'csv' });
    expect(view.receipt_url).toBe(`${app.url}/v1/exports/${view.id}/receipt`);
    const before = await receiptOf(call, view.id);
    await app.admin('/v1/signing-keys/rotate', { method: 'POST' });
    await call(`/v1/exports/${view.id}`, { method: 'DELETE' });
    const expired = await bodyOf(call(`/v1/exports/${view.id}`));
    expect([expired.status, expired.receipt_url]).toEqual(['expired', view.receipt_url]);
    expect(await receiptOf(call, view.id)).toBe(before);
    await verified(before);
    const stranger = await app.newTenant();
    expect((await stranger.call(`/v1/exports/${view.id}/receipt`)).status).toBe(404);
  });

  it('is named in the webhook', async () => {
    const receiver = await startWebhookReceiver();
    const { call } = await newLog(2);
    const id = await queueExport(call, { format: 'csv', webhook: { url: receiver.url } });
    await endedExport(call, id);
    await expect
      .poll(() => receiver.received.map(({ body }) => JSON.parse(body).data.receipt_url))
      .toContain(`${app.url}/v1/exports/${id}/receipt`);
    await receiver.close();
  });

  it('says nothing of a log that contradicts what was shown, and the export is completed', async () => {
    const { tenant, call } = await newLog(5);
    expect((await call('/v1/log/checkpoint')).status).toBe(200);
    await app.database.pool.query(
      'update events set hash = sha256(hash) where tenant_id = $1 and sequence_number = 3',
      [tenant.id],
    );
    const { view } = await exportFile(call, { format: 'csv' });
    expect((await verified(await receiptOf(call, view.id))).predicate).toMatchObject({
      checkpoint: null,
      origin: `${new URL(app.url).host}/log/${tenant.id}`,
      rows: 5,
    });
  });
});

describe('Before its end', () => {
  it('an export has no receipt: 409', async () => {
    const app = await startExporting({}, { worker: false });
    const { call } = await app.newTenant();
    const id = await queueExport(call, { format: 'csv' });
    expect((await call(`/v1/exports/${id}/receipt`)).status).toBe(409);
    expect((await bodyOf(call(`/v1/exports/${id}`))).receipt_url).toBeNull();
    await call(`/v1/exports/${id}/cancel`, { method: 'POST' });
    expect((await call(`/v1/exports/${id}/receipt`)).status).toBe(409);
    await app.close();
  });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../../core/ids.ts';
import { createExportWebhook, recordDeliveries } from '../../../prisma/webhooks.ts';
import { type App, bodyOf, type Call, startApp } from '../start-app.ts';

let app: App;
let call: Call;
let tenantId: string;
let other: Call;

beforeAll(async () => {
  app = await startApp({ LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8' });
  const owner = await app.newTenant();
  ({ call } = owner);
  tenantId = owner.tenant.id;
  other = (await app.newTenant()).call;
});

afterAll(() => app.close());

const url = 'http://127.0.0.1:9999/hook';
const createWebhook = (events = ['*']) => bodyOf(call('/v1/webhooks', { json: { url, events } }));
const createExport = async (): Promise<string> => (await bodyOf(call('/v1/exports', { json: { format: 'csv' } }))).id;
const idsOf = (rows: { id: string }[]) => rows.map(({ id }) => id);

const record = (exportId: string, type: 'export.completed' | 'export.expired' = 'export.completed') =>
  app.database.prisma.$transaction((transaction) =>
    recordDeliveries(transaction, { tenantId, exportId, type, data: { id: exportId } }),
  );

test('records one delivery for each webhook that wants to know, and for the export’s own', async () => {
  const wanting = await createWebhook(['export.comp*']);
  await createWebhook(['export.failed']);
  const exportId = await createExport();
  const own = await app.database.prisma.$transaction((transaction) =>
    createExportWebhook(transaction, { tenantId, exportId, url, sealedSecret: app.deps.secretKey.seal('whsec_') }),
  );
  const ids = await record(exportId);
  const { data, meta } = await bodyOf(call(`/v1/exports/${exportId}/deliveries`));
  expect(meta).toEqual({ next_cursor: null, has_more: false });
  expect(idsOf(data).toSorted()).toEqual(ids.toSorted());
  expect(data.map((row: { webhook_id: string }) => row.webhook_id).toSorted()).toEqual([wanting.id, own].toSorted());
  expect(data[0]).toEqual({
    id: expect.any(String),
    webhook_id: expect.any(String),
    export_id: exportId,
    type: 'export.completed',
    url,
    status: 'pending',
    attempts: [],
    next_attempt_at: expect.stringMatching(/\.\d{6}Z$/),
  });
  expect((await call(`/v1/webhooks/${own}`)).status).toBe(404);
  expect(await record(await createExport())).toHaveLength(1);
});

test('lists the deliveries of an endpoint newest first, in pages', async () => {
  const { id } = await createWebhook(['export.expired']);
  const made: string[] = [];
  for (let i = 0; i < 3; i++) made.unshift(...(await record(newId(), 'export.expired')));
  const rows = await app.database.prisma.delivery.findMany({ where: { webhookId: id }, orderBy: { id: 'desc' } });
  const first = await bodyOf(call(`/v1/webhooks/${id}/deliveries?limit=2`));
  const second = await bodyOf(call(`/v1/webhooks/${id}/deliveries?limit=2&cursor=${first.meta.next_cursor}`));
  expect([...idsOf(first.data), ...idsOf(second.data)]).toEqual(idsOf(rows));
  expect(second.meta.has_more).toBe(false);
});

test('redelivers with 202 under the same id, and enqueues it', async () => {
  const { id: webhookId } = await createWebhook();
  const { id } = await bodyOf(call(`/v1/webhooks/${webhookId}/ping`, { method: 'POST' }));
  await app.database.prisma.delivery.update({
    where: { id },
    data: { status: 'failed', tries: 1, nextAttemptAt: null },
  });
  app.jobs.deliveries.length = 0;
  const reply = await call(`/v1/deliveries/${id}/redeliver`, { method: 'POST' });
  expect(reply.status).toBe(202);
  expect(await bodyOf(reply)).toMatchObject({ id, webhook_id: webhookId, status: 'pending' });
  expect(app.jobs.deliveries).toEqual([id]);
});

test('answers 409 for a redelivery to a webhook that is disabled or deleted', async () => {
  const { id: webhookId } = await createWebhook();
  const { id } = await bodyOf(call(`/v1/webhooks/${webhookId}/ping`, { method: 'POST' }));
  const redeliver = async () => (await call(`/v1/deliveries/${id}/redeliver`, { method: 'POST' })).status;
  await call(`/v1/webhooks/${webhookId}`, { method: 'PATCH', json: { status: 'disabled' } });
  expect(await redeliver()).toBe(409);
  await call(`/v1/webhooks/${webhookId}`, { method: 'PATCH', json: { status: 'enabled' } });
  expect(await redeliver()).toBe(202);
  await call(`/v1/webhooks/${webhookId}`, { method: 'DELETE' });
  expect(await redeliver()).toBe(409);
});

test('answers 404 for unknown ids and for another tenant’s', async () => {
  const { id: webhookId } = await createWebhook();
  const { id } = await bodyOf(call(`/v1/webhooks/${webhookId}/ping`, { method: 'POST' }));
  const exportId = await createExport();
  for (const [by, delivery, exported] of [
    [other, id, exportId],
    [call, newId(), newId()],
    [call, 'no-uuid', 'no-uuid'],
  ] as const) {
    expect((await by(`/v1/deliveries/${delivery}/redeliver`, { method: 'POST' })).status).toBe(404);
    expect((await by(`/v1/exports/${exported}/deliveries`)).status).toBe(404);
  }
});

test('shows deliveries of an export to the scope export', async () => {
  const { call: manager } = await app.newTenant({ scopes: ['webhooks:manage'] });
  expect((await manager(`/v1/exports/${newId()}/deliveries`)).status).toBe(403);
});

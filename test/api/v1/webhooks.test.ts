import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../../core/ids.ts';
import { recordDeliveries } from '../../../prisma/webhooks.ts';
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
const create = (json: object = { url }, by = call) => bodyOf(by('/v1/webhooks', { json }));

function record(type: 'export.completed' | 'export.failed', exportId = newId()): Promise<string[]> {
  return app.database.prisma.$transaction((transaction) =>
    recordDeliveries(transaction, { tenantId, exportId, type, data: { id: exportId } }),
  );
}

test('answers 201 with the webhook and its secret, which no later reply shows', async () => {
  const reply = await call('/v1/webhooks', { json: { url, events: ['export.*'], description: 'Ours' } });
  expect(reply.status).toBe(201);
  const webhook = await bodyOf(reply);
  expect(webhook).toEqual({
    id: expect.any(String),
    url,
    events: ['export.*'],
    description: 'Ours',
    include_download_url: true,
    status: 'enabled',
    disabled_reason: null,
    created_at: expect.stringMatching(/\.\d{6}Z$/),
    secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
  });
  expect(reply.headers.get('location')).toBe(`/v1/webhooks/${webhook.id}`);
  const { secret, ...shown } = webhook;
  expect(await bodyOf(call(`/v1/webhooks/${webhook.id}`))).toEqual(shown);
});

test('keeps the secret sealed', async () => {
  const { id, secret } = await create();
  const row = await app.database.prisma.webhook.findUniqueOrThrow({ where: { id } });
  expect(Buffer.from(row.secret).includes(secret.slice(6, 20))).toBe(false);
  expect(app.deps.secretKey.open(row.secret)).toBe(secret);
});

test.each([
  ['an address that is not public', { url: 'https://10.0.0.1/hook' }, 'url'],
  ['http to a public address', { url: 'http://93.184.215.14/hook' }, 'url'],
  ['what is no URL', { url: 'hook' }, 'url'],
  ['no url', {}, 'url'],
  ['an unknown member', { url, event: ['*'] }, 'event'],
  ['an unknown event type', { url, events: ['export.done'] }, 'events.0'],
])('refuses %s with 422', async (_what, json, path) => {
  const reply = await call('/v1/webhooks', { json });
  expect(reply.status).toBe(422);
  expect(await bodyOf(reply)).toMatchObject({ errors: [{ path }], error: { type: 'validation_error' } });
});

test('lists newest first, in pages, without those of other tenants and of single exports', async () => {
  const { call: mine, tenant } = await app.newTenant();
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.unshift((await create({ url }, mine)).id);
  await app.database.prisma.webhook.create({
    data: {
      id: newId(),
      tenantId: tenant.id,
      exportId: newId(),
      url,
      events: ['*'],
      secret: Buffer.alloc(1),
      createdAt: new Date(),
    },
  });
  const first = await bodyOf(mine('/v1/webhooks?limit=2'));
  expect(first.data.map((webhook: { id: string }) => webhook.id)).toEqual(ids.slice(0, 2));
  expect(first.meta).toEqual({ has_more: true, next_cursor: expect.any(String) });
  expect(JSON.stringify(first)).not.toContain('secret');
  const second = await bodyOf(mine(`/v1/webhooks?limit=2&cursor=${first.meta.next_cursor}`));
  expect(second.data.map((webhook: { id: string }) => webhook.id)).toEqual(ids.slice(2));
  expect(second.meta).toEqual({ has_more: false, next_cursor: null });
});

test('changes what a patch names and leaves the rest', async () => {
  const { id, secret: _, ...before } = await create({ url, description: 'Ours' });
  const patch = { events: ['export.failed'], include_download_url: false };
  const reply = await call(`/v1/webhooks/${id}`, { method: 'PATCH', json: patch });
  expect(reply.status).toBe(200);
  expect(await bodyOf(reply)).toEqual({ id, ...before, ...patch });
  const refused = await call(`/v1/webhooks/${id}`, { method: 'PATCH', json: { url: 'https://[::1]/' } });
  expect(refused.status).toBe(422);
});

test('disables and enables by patch; a disabled one gets no deliveries', async () => {
  const { id } = await create();
  const patch = (status: string) => bodyOf(call(`/v1/webhooks/${id}`, { method: 'PATCH', json: { status } }));
  const deliveries = async () => (await bodyOf(call(`/v1/webhooks/${id}/deliveries`))).data;
  await record('export.completed');
  expect(await patch('disabled')).toMatchObject({ status: 'disabled', disabled_reason: expect.any(String) });
  await record('export.completed');
  expect(await deliveries()).toMatchObject([{ status: 'failed', next_attempt_at: null }]);
  expect((await call(`/v1/webhooks/${id}/ping`, { method: 'POST' })).status).toBe(409);
  expect(await patch('enabled')).toMatchObject({ status: 'enabled', disabled_reason: null });
  await record('export.completed');
  expect(await deliveries()).toHaveLength(2);
});

test('deletes with 204, and ends what waits for it', async () => {
  const { id } = await create();
  await record('export.completed');
  expect((await call(`/v1/webhooks/${id}`, { method: 'DELETE' })).status).toBe(204);
  expect((await call(`/v1/webhooks/${id}`)).status).toBe(404);
  expect((await call(`/v1/webhooks/${id}`, { method: 'DELETE' })).status).toBe(404);
  expect(await app.database.prisma.delivery.findMany({ where: { webhookId: id } })).toMatchObject([
    { status: 'failed', nextAttemptAt: null },
  ]);
});

test('shows the new secret at a rotation, and keeps the old one for 24 hours', async () => {
  const { id, secret: old } = await create();
  const rotated = await bodyOf(call(`/v1/webhooks/${id}/rotate-secret`, { method: 'POST' }));
  expect(rotated).toMatchObject({ id, secret: expect.stringMatching(/^whsec_/) });
  expect(rotated.secret).not.toBe(old);
  const row = await app.database.prisma.webhook.findUniqueOrThrow({ where: { id } });
  expect(app.deps.secretKey.open(row.secret)).toBe(rotated.secret);
  expect(app.deps.secretKey.open(row.previousSecret!)).toBe(old);
  const hours = (row.previousSecretExpiresAt!.getTime() - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(23.9);
  expect(hours).toBeLessThan(24.1);
});

test('answers a ping 202 with its delivery, and enqueues it', async () => {
  const { id } = await create();
  const reply = await call(`/v1/webhooks/${id}/ping`, { method: 'POST' });
  expect(reply.status).toBe(202);
  const delivery = await bodyOf(reply);
  expect(delivery).toEqual({
    id: expect.any(String),
    webhook_id: id,
    export_id: null,
    type: 'ping',
    url,
    status: 'pending',
    attempts: [],
    next_attempt_at: expect.any(String),
  });
  expect(app.jobs.deliveries).toContain(delivery.id);
});

test('answers 404 alike for an unknown id, a malformed one, and another tenant’s', async () => {
  const { id } = await create();
  const bodies = new Set<string>();
  for (const [by, path] of [
    [call, newId()],
    [call, 'no-uuid'],
    [other, id],
  ] as const) {
    for (const [suffix, init] of [
      ['', {}],
      ['', { method: 'PATCH', json: {} }],
      ['', { method: 'DELETE' }],
      ['/rotate-secret', { method: 'POST' }],
      ['/ping', { method: 'POST' }],
      ['/deliveries', {}],
    ] as const) {
      const reply = await by(`/v1/webhooks/${path}${suffix}`, init);
      expect(reply.status).toBe(404);
      bodies.add((await bodyOf(reply)).detail);
    }
  }
  expect(bodies.size).toBe(1);
  expect((await call(`/v1/webhooks/${id}`)).status).toBe(200);
});

test('needs the scope webhooks:manage', async () => {
  const { call: reader } = await app.newTenant({ scopes: ['events:read', 'export'] });
  for (const path of ['/v1/webhooks', `/v1/webhooks/${newId()}`]) expect((await reader(path)).status).toBe(403);
  expect((await reader('/v1/webhooks', { json: { url } })).status).toBe(403);
  expect((await reader(`/v1/deliveries/${newId()}/redeliver`, { method: 'POST' })).status).toBe(403);
});

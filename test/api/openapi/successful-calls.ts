import { expect } from 'vitest';
import type { World } from './world.ts';

/** Calls an operation in every way in which it succeeds. */
type SuccessfulCall = (world: World) => Promise<unknown>;

const get =
  (path: string): SuccessfulCall =>
  ({ send }) =>
    send('get', path);
const byAdmin =
  (method: string, path: string, json?: unknown): SuccessfulCall =>
  ({ send, keys }) =>
    send(method, path, { key: keys.admin, json });
const event = { action: 'user.login', metadata: { a: [1, null] } };

/** One for each operation, by its id. */
export const successfulCalls: Record<string, SuccessfulCall> = {
  getRoot: get('/'),
  listManagementEvents: byAdmin('get', '/v1/management-events?limit=1'),
  async writeEvent({ send }) {
    await send('post', '/v1/events', { json: { ...event, target: { id: 't' }, diff: { after: {} } } });
    const id = '01a2047e-98dd-7000-8000-0123456789ab';
    await send('post', '/v1/events', { json: { ...event, id } });
    await send('post', '/v1/events', { json: { ...event, id } });
  },
  async writeEvents({ send }) {
    await send('post', '/v1/events/batch', { json: { events: [event, event] } });
    const ndjson = { 'content-type': 'application/x-ndjson' };
    await send('post', '/v1/events/batch', { body: `${JSON.stringify(event)}\n`, headers: ndjson });
  },
  async listEvents({ send }) {
    await send('get', '/v1/events?limit=1&action=user.*&severity=info&severity=High&sort=-actor.id');
    await send('get', `/v1/events?per_page=1&metadata=${encodeURIComponent('{"a": {"$exists": true}}')}&search=user`);
    await send('get', '/v1/events?from=2030-01-01');
  },
  async getEvent({ send }) {
    const { body } = await send('post', '/v1/events', { json: event });
    await send('get', `/v1/events/${(body as { data: { id: string } }).data.id}`);
  },
  async streamEvents({ send }) {
    await send('get', '/v1/events/export');
    await send('get', '/v1/events/export?format=csv&action=user.*');
  },
  verifyLog: get('/v1/verify'),
  getCheckpoint: get('/v1/log/checkpoint'),
  getLogKey: get('/v1/log/key'),
  getLogEntries: get('/v1/log/tile/entries/000.p/1'),
  getLogTile: get('/v1/log/tile/0/000.p/1'),
  async getEventProof({ send }) {
    const { body } = await send('post', '/v1/events', { json: event });
    await send('get', `/v1/events/${(body as { data: { id: string } }).data.id}/proof`);
  },
  async restartLog({ send, keys }) {
    await send('get', '/v1/log/checkpoint');
    await send('post', '/v1/tenants/acme/log/restart', { key: keys.admin, json: { reason: 'A restored database' } });
  },
  listSigningKeys: ({ send }) => send('get', '/.well-known/logferry-keys.json', { key: null }),
  rotateSigningKey: byAdmin('post', '/v1/signing-keys/rotate'),
  async createExport({ send, receiver }) {
    await send('post', '/v1/exports', { json: { format: 'csv' }, headers: { prefer: 'wait=20' } });
    const headers = { 'idempotency-key': 'once' };
    const json = {
      format: 'csv',
      csv: { bom: true },
      filter: { action: ['user.*'], metadata: { a: { $exists: true } } },
      properties: [{ name: 'metadata.a[0]', displayName: 'A' }],
      sort: [{ field: 'action' }],
      webhook: { url: receiver.url },
    };
    await send('post', '/v1/exports', { json, headers });
    const again = await send('post', '/v1/exports', { json, headers: { ...headers, prefer: 'wait=20' } });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  },
  async listExports({ send }) {
    await send('get', '/v1/exports?limit=2');
    await send('get', '/v1/exports?status=completed&status=queued');
  },
  estimateExport: ({ send }) => send('post', '/v1/exports/estimate', { json: { format: 'json', compression: 'gzip' } }),
  async getExport(world) {
    await world.send('get', `/v1/exports/${(await world.endedExport({ format: 'ndjson' })).id}`);
    await world.send('get', `/v1/exports/${await world.newExport()}`);
  },
  async deleteExport(world) {
    await world.send('delete', `/v1/exports/${(await world.endedExport()).id}`);
  },
  // Another one may be quicker: then it has ended.
  cancelExport: (world) =>
    expect
      .poll(async () => (await world.send('post', `/v1/exports/${await world.newExport()}/cancel`)).status)
      .toBe(202),
  async getReceipt(world) {
    await world.send('get', `/v1/exports/${(await world.endedExport()).id}/receipt`);
  },
  async downloadExport(world) {
    await world.send('get', `/v1/exports/${(await world.endedExport()).id}/download`);
  },
  async watchExport(world) {
    const path = `/v1/exports/${await world.newExport()}/events`;
    const { body } = await world.send('get', path);
    const [, id, last] = /\nid: (.*)\nevent: completed\nretry: 2000\ndata: (.*)\n\n$/.exec(`\n${body}`)!;
    await world.send('get', path, { headers: { 'last-event-id': id! } });
    expect(world.api.mistakeIn({ $ref: '#/components/schemas/Export' }, JSON.parse(last!))).toBeUndefined();
  },
  async listExportDeliveries(world) {
    const { id } = await world.endedExport({ webhook: { url: world.receiver.url } });
    const deliveries = async () => (await world.send('get', `/v1/exports/${id}/deliveries`)).body;
    await expect.poll(deliveries).toMatchObject({ data: [{ status: 'delivered', attempts: [{ status_code: 204 }] }] });
  },
  async createErasure({ send }) {
    const json = { filter: { actor_id: 'nobody' }, compartments: ['person'], reason: 'Asked for' };
    await send('post', '/v1/erasures', { json: { ...json, dry_run: true } });
    await send('post', '/v1/erasures', { json });
    await send('post', '/v1/erasures', { json, headers: { 'idempotency-key': 'erased once', prefer: 'wait=20' } });
  },
  listErasures: get('/v1/erasures?limit=1'),
  async getErasure({ send }) {
    const json = { filter: { action: ['gone.*'] }, compartments: ['detail', 'actor'], reason: 'Asked for' };
    const { body } = await send('post', '/v1/erasures', { json, headers: { prefer: 'wait=20' } });
    await send('get', `/v1/erasures/${(body as { id: string }).id}`);
  },
  createWebhook: (world) => world.newWebhook(),
  async listWebhooks(world) {
    await world.newWebhook();
    await world.send('get', '/v1/webhooks?limit=1');
  },
  getWebhook: async (world) => world.send('get', `/v1/webhooks/${await world.newWebhook()}`),
  changeWebhook: async (world) =>
    world.send('patch', `/v1/webhooks/${await world.newWebhook()}`, { json: { status: 'disabled' } }),
  deleteWebhook: async (world) => world.send('delete', `/v1/webhooks/${await world.newWebhook()}`),
  rotateWebhookSecret: async (world) => world.send('post', `/v1/webhooks/${await world.newWebhook()}/rotate-secret`),
  pingWebhook: async (world) => world.send('post', `/v1/webhooks/${await world.newWebhook()}/ping`),
  async listWebhookDeliveries(world) {
    const id = await world.newWebhook();
    await world.send('post', `/v1/webhooks/${id}/ping`);
    await world.send('get', `/v1/webhooks/${id}/deliveries`);
  },
  async redeliver(world) {
    const { body } = await world.send('post', `/v1/webhooks/${await world.newWebhook()}/ping`);
    await world.send('post', `/v1/deliveries/${(body as { id: string }).id}/redeliver`);
  },
  createTenant: byAdmin('post', '/v1/tenants', { name: 'New' }),
  listTenants: byAdmin('get', '/v1/tenants?limit=1'),
  getTenant: byAdmin('get', '/v1/tenants/acme'),
  changeTenant: byAdmin('patch', '/v1/tenants/acme', { name: 'Acme' }),
  async deleteTenant({ send, keys }) {
    const { body } = await send('post', '/v1/tenants', { key: keys.admin, json: { name: 'Leaving' } });
    await send('delete', `/v1/tenants/${(body as { id: string }).id}`, { key: keys.admin });
  },
  async createApiKey({ send, keys }) {
    await send('post', '/v1/api-keys', { json: { name: 'key', expires_at: '2999-01-01T00:00:00Z' } });
    await send('post', '/v1/api-keys', { key: keys.admin, json: { name: 'management' } });
  },
  listApiKeys: byAdmin('get', '/v1/api-keys?tenant_id=acme&limit=1'),
  async getApiKey({ send }) {
    const { body } = await send('post', '/v1/api-keys', { json: { name: 'key' } });
    await send('get', `/v1/api-keys/${(body as { id: string }).id}`);
  },
  async revokeApiKey({ send }) {
    const { body } = await send('post', '/v1/api-keys', { json: { name: 'key' } });
    await send('delete', `/v1/api-keys/${(body as { id: string }).id}`);
  },
  async getLimits({ send, keys }) {
    await send('get', '/v1/limits');
    await send('get', '/v1/limits', { key: keys.admin });
  },
  listRegions: ({ send }) => send('get', '/v1/regions', { key: null }),
  async getToken({ send, keys }) {
    const json = { clientId: 'any', secret: keys.admin };
    const { body } = await send('post', '/auth/vendor', { key: null, json });
    await send('post', '/auth/vendor', { key: null, body: new URLSearchParams(json) });
    const { token } = body as { token: string };
    await send('get', '/v1/limits', { key: null, headers: { 'x-access-token': token } });
  },
  listAuditsV1: get('/audits?count=2&severity=Info&custom=x'),
  async listAudits({ send, keys }) {
    await send('get', '/audits/resources/audits/v2?count=2&sortBy=createdAt&sortDirection=DESC');
    await send('get', '/audits/resources/audits/v2?tenant_ids=acme', { key: keys.admin });
  },
  async createAudit({ send, keys }) {
    await send('post', '/audits', { json: { action: 'a', severity: 'attention', json: { a: 1 }, custom: [1] } });
    const headers = { 'frontegg-tenant-id': 'made-by-writing' };
    await send('post', '/audits', { key: keys.admin, json: { email: 'ana@example.com' }, headers });
  },
  getAuditStats: get('/audits/stats'),
  exportAuditsV1: ({ send }) => send('post', '/audits/export/csv'),
  exportAuditsV1Again: ({ send }) => send('post', '/audits/export/csv/v2', { json: {} }),
  exportAudits: ({ send }) =>
    send('post', '/audits/resources/audits/v2/export/csv', { json: { properties: [{ name: 'email', more: 1 }] } }),
  getAuditFigures: byAdmin('get', '/audits/resources/metrics/v1'),
  getMetadata: get('/metadata?entityName=audits'),
  async setMetadata({ send, keys }) {
    await send('post', '/metadata', { json: { entityName: 'audits' } });
    await send('post', '/metadata', { key: keys.admin, json: { properties: [{ name: 'custom', displayName: 'C' }] } });
  },
  async getFile(world) {
    const { download_url, id } = await world.endedExport();
    const path = download_url!.slice(world.app.url.length);
    const { headers } = await world.send('get', path, { key: null });
    const etag = headers.get('etag')!;
    const ask = async (more: Record<string, string>) =>
      (await world.send('get', path, { key: null, headers: { 'cache-control': 'max-age=0', ...more } })).status;
    expect(await ask({ range: 'bytes=0-3' })).toBe(206);
    expect(await ask({ 'if-none-match': etag })).toBe(304);
    expect(await ask({ 'if-match': '"another"' })).toBe(412);
    expect(await ask({ range: 'bytes=99999999-' })).toBe(416);
    expect((await world.send('get', `${path.split('?')[0]}`, { key: null })).status).toBe(403);
    expect((await world.send('get', '/files/%zz', { key: null })).status).toBe(400);
    await world.send('delete', `/v1/exports/${id}`);
    expect(await ask({})).toBe(404);
  },
  getLiveness: get('/livez'),
  getReadiness: get('/readyz'),
  getMetrics: get('/metrics'),
  getBoard: byAdmin('get', '/admin/queues'),
  async getOpenApi({ send }) {
    const { headers } = await send('get', '/openapi.json', { key: null });
    await send('get', '/openapi.json', {
      headers: { 'if-none-match': headers.get('etag')!, 'cache-control': 'max-age=0' },
    });
  },
  async getDocs({ send }) {
    await send('get', '/docs', { key: null });
  },
  async getDocsFile({ send }) {
    for (const file of ['swagger-ui.css', 'show-document.js', 'favicon-32x32.png']) await send('get', `/docs/${file}`);
    const since = new Date().toUTCString();
    const headers = { 'if-modified-since': since, 'cache-control': 'max-age=0' };
    expect((await send('get', '/docs/swagger-ui.css', { headers })).status).toBe(304);
  },
};

import { scopes } from '../../../core/access/api-keys.ts';
import { createApiKey } from '../../../prisma/api-keys.ts';
import { startWebhookReceiver } from '../../webhook-receiver.ts';
import { endedExport, startExporting } from '../../worker/export-fixture.ts';
import type { Tenant } from '../start-app.ts';
import type { DocumentedApi } from './documented-api.ts';
import { readDocument } from './read-document.ts';

export type Sent = {
  /** Whose key is sent: the tenant's with all scopes unless told otherwise, or none. */
  key?: string | null;
  json?: unknown;
  body?: string | URLSearchParams;
  headers?: Record<string, string>;
};

/** A Logferry in which everything that an operation can be about is there. Each reply is held against the document. */
export async function startWorld() {
  const receiver = await startWebhookReceiver();
  const app = await startExporting({
    LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
    LOGFERRY_REGIONS: '{"us": "https://us.example.com"}',
    LOGFERRY_RATE_LIMIT: '1000000',
  });
  const api = await readDocument(app.url);
  const own = await app.newTenant({ external_id: 'acme' });
  const send = sender(app.url, api, own.key);
  const keyWith = async (key: object): Promise<string> =>
    (
      (await send('post', '/v1/api-keys', { key: app.adminKey, json: { name: 'test', ...key } })).body as {
        key: string;
      }
    ).key;
  const free = await app.newTenant({ plan: 'free' });
  const abroad = (await send('post', '/v1/tenants', { key: app.adminKey, json: { name: 'Abroad', region: 'us' } }))
    .body as Tenant;
  const abroadKey = await createApiKey(app.database.prisma, abroad.id, { name: 'test', scopes, expiresAt: null });
  const events = [
    { action: 'user.login', actor: { id: 'u', meta: { a: 1 } }, target: { type: 'app' }, metadata: { n: 1 } },
    { action: 'user.logout', diff: { before: 1, after: null }, context: { ip: '192.0.2.1', more: [] } },
  ];
  await send('post', '/v1/events/batch', { json: { events } });
  return {
    app,
    api,
    receiver,
    tenant: own.tenant,
    send,
    keys: {
      own: own.key,
      admin: app.adminKey,
      abroad: abroadKey.key,
      abroadId: abroadKey.row.id,
      free: free.key,
      freeId: free.tenant.id,
      /** A key of the tenant with this scope alone. */
      with: (scope: string) => keyWith({ tenant_id: own.tenant.id, scopes: [scope] }),
    },
    /** A new export of the tenant, which ends soon. */
    async newExport(more: object = {}): Promise<string> {
      return ((await send('post', '/v1/exports', { json: { format: 'csv', ...more } })).body as { id: string }).id;
    },
    async endedExport(more: object = {}) {
      return endedExport(own.call, await this.newExport(more));
    },
    async newWebhook(): Promise<string> {
      return ((await send('post', '/v1/webhooks', { json: { url: receiver.url } })).body as { id: string }).id;
    },
    async close() {
      await app.close();
      await receiver.close();
    },
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

/** Calls a Logferry, and holds each reply against the document. */
export function sender(url: string, api: DocumentedApi, ownKey: string) {
  return async (method: string, path: string, { key = ownKey, json, headers = {}, body }: Sent = {}) => {
    const all = new Headers(headers);
    if (key !== null && !all.has('authorization')) all.set('authorization', `Bearer ${key}`);
    if (json !== undefined && !all.has('content-type')) all.set('content-type', 'application/json');
    const reply = await fetch(url + path, {
      method: method.toUpperCase(),
      headers: all,
      redirect: 'manual',
      body: json === undefined ? body : JSON.stringify(json),
    });
    return { status: reply.status, headers: reply.headers, body: await api.expectDocumented(method, path, reply) };
  };
}

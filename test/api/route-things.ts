import { type App, bodyOf, type Call, type Tenant } from './start-app.ts';

/** Ids of things that one tenant has, one of each kind that a path can name. */
export type Things = {
  tenant: string;
  apiKey: string;
  event: string;
  /** Exports: one that waits, one that was canceled, one whose file can be had. */
  queued: string;
  canceled: string;
  completed: string;
  erasure: string;
  webhook: string;
  delivery: string;
};

/** Makes a tenant that has one of everything. The webhook leads nowhere, and nobody delivers in these tests. */
export async function makeThings(
  app: App,
  wanted: Parameters<App['newTenant']>[0] = {},
): Promise<{ tenant: Tenant; call: Call; key: string; things: Things }> {
  const made = await app.newTenant(wanted);
  const { call, tenant } = made;
  const idOf = async (path: string, json: object): Promise<string> => {
    const body = await bodyOf(call(path, { json }));
    const { id } = body.data ?? body;
    if (!id) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return id;
  };
  const newExport = () => idOf('/v1/exports', { format: 'csv' });
  const webhook = await idOf('/v1/webhooks', { url: 'http://127.0.0.1:9999/hook' });
  const canceled = await newExport();
  await call(`/v1/exports/${canceled}/cancel`, { method: 'POST' });
  const completed = await newExport();
  await app.database.pool.query(
    `update exports set status = 'completed', rows = 0, bytes = 0, sha256 = encode(sha256(''), 'hex'),
       completed_at = now(), expires_at = now() + interval '1 day' where id = $1`,
    [completed],
  );
  await app.database.pool.query(`insert into receipts (export_id, tenant_id, body) values ($1, $2, '{}')`, [
    completed,
    tenant.id,
  ]);
  const things = {
    tenant: tenant.id,
    apiKey: await idOf('/v1/api-keys', { name: 'named by its id' }),
    event: await idOf('/v1/events', { action: 'user.login' }),
    queued: await newExport(),
    canceled,
    completed,
    erasure: await idOf('/v1/erasures', { filter: { actor_id: 'u' }, compartments: ['actor'], reason: 'asked for' }),
    webhook,
    delivery: await idOf(`/v1/webhooks/${webhook}/ping`, {}),
  };
  return { ...made, things };
}

import { randomBytes } from 'node:crypto';
import { demoEvents } from '../../local/demo/demo-events.ts';
import { sendEvents } from '../../local/demo/send-events.ts';
import type { ApiClient } from './api-client.ts';

/** A tenant with a log of so many events. */
export type ChaosTenant = {
  id: string;
  key: string;
  rows: number;
  /** Where an endpoint for all its exports gets its messages, and what they are signed with; not all tenants have one. */
  endpoint?: { path: string; secret: string };
};

export type TenantPlan = {
  name: string;
  rows: number;
  /** NDJSON of so many events, in pieces; believable ones if missing. */
  lines?: Iterable<string>;
  hookUrl?: string;
};

/** Makes a tenant through the API and fills its log. Nothing may be disturbed yet. */
export async function makeTenant(client: ApiClient, plan: TenantPlan): Promise<ChaosTenant> {
  const { adminKey } = client;
  const { name, rows, lines = believable(rows), hookUrl } = plan;
  const { id } = await made(client, adminKey, '/v1/tenants', { name });
  const { key } = await made(client, adminKey, '/v1/api-keys', { name: 'chaos', tenant_id: id });
  const tenant: ChaosTenant = { id, key, rows };
  if (hookUrl) {
    const { secret } = await made(client, key, '/v1/webhooks', { url: hookUrl, events: ['export.*'] });
    tenant.endpoint = { path: new URL(hookUrl).pathname, secret };
  }
  await sendEvents({ url: client.urls[0]!, key }, lines, { signal: AbortSignal.timeout(300_000), onSent() {} });
  return tenant;
}

const believable = (rows: number) =>
  demoEvents({ rows, seed: rows, until: new Date('2026-01-01T00:00:00Z'), days: 90 });

/** Events of so many bytes each, which no compression makes much smaller. */
export function* bulkyEvents(rows: number, bytes: number): Generator<string> {
  for (let n = 1; n <= rows; n++) {
    const description = randomBytes(Math.ceil((bytes * 3) / 4)).toString('base64');
    yield `${JSON.stringify({ action: 'chaos.bulky', actor: { id: `user-${n % 100}` }, description })}\n`;
  }
}

/** What is of interest in the replies: the id, and what is shown once. */
type Made = { id: string; key: string; secret: string };

async function made(client: ApiClient, key: string, path: string, json: object): Promise<Made> {
  const reply = await client.until(key, path, { json });
  if (reply.status !== 201) throw new Error(`${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
  return reply.body;
}

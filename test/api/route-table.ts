import { type Scope, scopes } from '../../core/access/api-keys.ts';
import type { Things } from './route-things.ts';

/**
 * Who may call a route: everybody; whoever has a link that was signed, or credentials in the body, each of which has
 * tests of its own; any key or token; the management alone; it and keys that manage keys; or who has the scope, among
 * them the management once it names a tenant.
 */
export type Who = 'public' | 'signed link' | 'credentials' | 'any key' | 'management' | 'key manager' | Scope;

/** One method of one route, with all that it takes to call it. */
export type RouteRow = {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** A path that leads there. `:thing` is the id of that thing of the tenant. */
  path: string;
  who: Who;
  /** The plan that the tenant must have. */
  plan?: 'pro';
  /** The least body that will do. */
  body?: object;
  /** It answers the same to all tenants, and so looks at none that a header names. */
  isOfAll?: true;
  /** The status when all is well. */
  status: number;
  /** Whose errors it answers with, and so by which header the management names a tenant; of LogProof unless said. */
  family?: 'frontegg';
};

type Thing = keyof Things;

/** Whether keys of tenants may call it. */
export const isForTenants = ({ who }: RouteRow): boolean =>
  who === 'any key' || who === 'key manager' || (scopes as readonly string[]).includes(who);

/** Whether it is about one tenant: the caller's, or the one that the management names. */
export const isOfOne = (row: RouteRow): boolean => isForTenants(row) && !row.isOfAll;

/** The header by which the management says for whom it acts. */
export const tenantHeaderOf = ({ family }: RouteRow): string =>
  family === 'frontegg' ? 'frontegg-tenant-id' : 'Logferry-Tenant';

/** The things that the path names. */
export const thingsIn = ({ path }: RouteRow): Thing[] =>
  [...path.matchAll(/:([a-zA-Z]+)/g)].map(([, name]) => name as Thing);

/** @param idOf gives the id of each thing that the path names */
export const pathTo = ({ path }: RouteRow, idOf: (thing: Thing) => string): string =>
  path.replaceAll(/:([a-zA-Z]+)/g, (_, thing: Thing) => idOf(thing));

const format = { format: 'csv' };
const hook = { url: 'http://127.0.0.1:9999/hook' };
const event = { action: 'user.login' };
const erasure = { filter: { actor_id: 'u' }, compartments: ['person'], reason: 'asked for' };
const audit = { severity: 'Info', action: 'user.login' };
const columns = { properties: [{ displayName: 'Time', name: 'createdAt' }] };

/** Every route that there is. One that is missing here, or is not there any more, fails test/api/route-matrix.test.ts. */
export const routes: readonly RouteRow[] = [
  { method: 'GET', path: '/', who: 'public', status: 302 },
  { method: 'GET', path: '/v1/management-events', who: 'management', status: 200 },
  { method: 'GET', path: '/livez', who: 'public', status: 200 },
  { method: 'GET', path: '/readyz', who: 'public', status: 200 },
  { method: 'GET', path: '/metrics', who: 'public', status: 200 },
  { method: 'GET', path: '/openapi.json', who: 'public', status: 200 },
  { method: 'GET', path: '/docs', who: 'public', status: 200 },
  { method: 'GET', path: '/docs/swagger-ui.css', who: 'public', status: 200 },
  { method: 'GET', path: '/v1/regions', who: 'public', status: 200 },
  { method: 'GET', path: '/.well-known/logferry-keys.json', who: 'public', status: 200 },
  { method: 'GET', path: '/files/exports/nobodys.csv', who: 'signed link', status: 403 },
  { method: 'POST', path: '/auth/vendor', who: 'credentials', status: 200, family: 'frontegg' },
  { method: 'GET', path: '/admin/queues/', who: 'management', status: 200 },

  { method: 'POST', path: '/v1/tenants', who: 'management', body: { name: 'New' }, status: 201 },
  { method: 'GET', path: '/v1/tenants', who: 'management', status: 200 },
  { method: 'GET', path: '/v1/tenants/:tenant', who: 'management', status: 200 },
  { method: 'PATCH', path: '/v1/tenants/:tenant', who: 'management', body: { name: 'Renamed' }, status: 200 },
  { method: 'DELETE', path: '/v1/tenants/:tenant', who: 'management', status: 202 },

  {
    method: 'POST',
    path: '/v1/tenants/:tenant/log/restart',
    who: 'management',
    body: { reason: 'The database was restored' },
    status: 200,
  },
  { method: 'POST', path: '/v1/signing-keys/rotate', who: 'management', status: 201 },

  { method: 'POST', path: '/v1/api-keys', who: 'key manager', body: { name: 'new' }, status: 201 },
  { method: 'GET', path: '/v1/api-keys', who: 'key manager', status: 200 },
  { method: 'GET', path: '/v1/api-keys/:apiKey', who: 'key manager', status: 200 },
  { method: 'DELETE', path: '/v1/api-keys/:apiKey', who: 'key manager', status: 204 },
  { method: 'GET', path: '/v1/limits', who: 'any key', status: 200 },

  { method: 'POST', path: '/v1/events', who: 'events:write', body: event, status: 201 },
  { method: 'POST', path: '/v1/events/batch', who: 'events:write', body: { events: [event] }, status: 201 },
  { method: 'GET', path: '/v1/events', who: 'events:read', status: 200 },
  { method: 'GET', path: '/v1/events/:event', who: 'events:read', status: 200 },
  { method: 'GET', path: '/v1/events/export', who: 'export', plan: 'pro', status: 200 },
  { method: 'GET', path: '/v1/verify', who: 'verify', status: 200 },
  { method: 'GET', path: '/v1/events/:event/proof', who: 'verify', status: 200 },
  { method: 'GET', path: '/v1/log/checkpoint', who: 'verify', status: 200 },
  { method: 'GET', path: '/v1/log/key', who: 'verify', status: 200 },
  { method: 'GET', path: '/v1/log/tile/0/000.p/1', who: 'verify', status: 200 },
  { method: 'GET', path: '/v1/log/tile/entries/000.p/1', who: 'verify', status: 200 },

  { method: 'POST', path: '/v1/exports', who: 'export', plan: 'pro', body: format, status: 202 },
  { method: 'POST', path: '/v1/exports/estimate', who: 'export', plan: 'pro', body: format, status: 200 },
  { method: 'GET', path: '/v1/exports', who: 'export', status: 200 },
  { method: 'GET', path: '/v1/exports/:queued', who: 'export', status: 200 },
  { method: 'GET', path: '/v1/exports/:canceled/events', who: 'export', status: 200 },
  { method: 'GET', path: '/v1/exports/:completed/download', who: 'export', status: 302 },
  { method: 'GET', path: '/v1/exports/:completed/receipt', who: 'export', status: 200 },
  { method: 'POST', path: '/v1/exports/:queued/cancel', who: 'export', status: 202 },
  { method: 'DELETE', path: '/v1/exports/:completed', who: 'export', status: 204 },
  { method: 'GET', path: '/v1/exports/:canceled/deliveries', who: 'export', status: 200 },
  { method: 'POST', path: '/v1/deliveries/:delivery/redeliver', who: 'webhooks:manage', status: 202 },

  { method: 'POST', path: '/v1/erasures', who: 'erase', body: erasure, status: 202 },
  { method: 'GET', path: '/v1/erasures', who: 'erase', status: 200 },
  { method: 'GET', path: '/v1/erasures/:erasure', who: 'erase', status: 200 },

  { method: 'POST', path: '/v1/webhooks', who: 'webhooks:manage', body: hook, status: 201 },
  { method: 'GET', path: '/v1/webhooks', who: 'webhooks:manage', status: 200 },
  { method: 'GET', path: '/v1/webhooks/:webhook', who: 'webhooks:manage', status: 200 },
  { method: 'PATCH', path: '/v1/webhooks/:webhook', who: 'webhooks:manage', body: { description: 'x' }, status: 200 },
  { method: 'DELETE', path: '/v1/webhooks/:webhook', who: 'webhooks:manage', status: 204 },
  { method: 'POST', path: '/v1/webhooks/:webhook/rotate-secret', who: 'webhooks:manage', status: 200 },
  { method: 'POST', path: '/v1/webhooks/:webhook/ping', who: 'webhooks:manage', status: 202 },
  { method: 'GET', path: '/v1/webhooks/:webhook/deliveries', who: 'webhooks:manage', status: 200 },

  { method: 'GET', path: '/audits', who: 'events:read', status: 200, family: 'frontegg' },
  { method: 'POST', path: '/audits', who: 'events:write', body: audit, status: 202, family: 'frontegg' },
  { method: 'GET', path: '/audits/stats', who: 'events:read', status: 200, family: 'frontegg' },
  { method: 'GET', path: '/audits/resources/audits/v2', who: 'events:read', status: 200, family: 'frontegg' },
  { method: 'GET', path: '/audits/resources/metrics/v1', who: 'management', status: 200, family: 'frontegg' },
  { method: 'POST', path: '/audits/export/csv', who: 'export', body: columns, status: 201, family: 'frontegg' },
  { method: 'POST', path: '/audits/export/csv/v2', who: 'export', body: columns, status: 201, family: 'frontegg' },
  {
    method: 'POST',
    path: '/audits/resources/audits/v2/export/csv',
    who: 'export',
    body: columns,
    status: 200,
    family: 'frontegg',
  },
  { method: 'GET', path: '/metadata', who: 'events:read', isOfAll: true, status: 200, family: 'frontegg' },
  { method: 'POST', path: '/metadata', who: 'events:read', isOfAll: true, body: {}, status: 200, family: 'frontegg' },
];

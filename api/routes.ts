import type { Config } from '../core/config.ts';
import { storageEngineOf } from '../core/engines.ts';
import type { WebhookGuard } from '../core/webhooks/webhook-address.ts';
import type { Reading } from '../prisma/events/reading.ts';
import type { LinkLog } from '../prisma/exports/link-log.ts';
import type { StoreRoom } from '../prisma/exports/store-room.ts';
import type { Access } from './access/access.ts';
import type { Shared } from './app-deps.ts';
import { getFile } from './files.ts';
import { getToken } from './frontegg/auth-vendor.ts';
import { auditRoutes } from './frontegg/routes.ts';
import { healthRoutes } from './health.ts';
import { writeEventRoutes } from './ingest/write-events.ts';
import { getMetrics } from './metrics.ts';
import type { Operation } from './openapi/described.ts';
import { docsRoutes } from './openapi/docs.ts';
import type { Group } from './openapi/document.ts';
import { getOpenApi } from './openapi/send-document.ts';
import { getBoard } from './queues-board.ts';
import type { Route } from './route.ts';
import type { ServedFiles } from './served-files.ts';
import { apiKeyRoutes } from './v1/api-keys.ts';
import { redeliverOne } from './v1/deliveries.ts';
import { erasureRoutes } from './v1/erasures.ts';
import { eventRoutes } from './v1/events.ts';
import { exportRoutes } from './v1/exports/routes.ts';
import { getLimits, type PlanChecks } from './v1/limits.ts';
import { restartTenantLog } from './v1/log/restart.ts';
import { logRoutes } from './v1/log/routes.ts';
import { listManagementEvents } from './v1/management-events.ts';
import { listRegions } from './v1/regions.ts';
import { signingKeyRoutes } from './v1/signing-keys.ts';
import { streamEvents } from './v1/stream-events.ts';
import { tenantRoutes } from './v1/tenants.ts';
import { verifyLog } from './v1/verify.ts';
import { webhookRoutes } from './v1/webhooks.ts';

/** What the calls work with, each with a part of it. */
export type RouteDeps = Shared & {
  access: Access;
  forget(): void;
  guard: WebhookGuard;
  planChecks: PlanChecks;
  linkLog: LinkLog;
  storeRoom: StoreRoom;
  reading: Reading;
  servedFiles: ServedFiles;
  groups: readonly Group[];
};

/** Calls that are about the same. One without a handler is mounted by what serves its pages. */
type RouteGroup = Group & { operations: readonly (Route<RouteDeps> | Operation)[] };

/** Every call of the API, in the order in which they are tried and shown. */
export const groupsOf = (config: Pick<Config, 'storageUrl'>): readonly RouteGroup[] => [
  {
    name: 'events',
    description: 'Writing, reading and checking events',
    operations: [...writeEventRoutes, streamEvents, ...eventRoutes, verifyLog],
  },
  {
    name: 'log',
    description: "The Merkle tree over a tenant's events, and the keys that sign it",
    operations: [...logRoutes, ...signingKeyRoutes],
  },
  { name: 'exports', description: 'Files of events, made as jobs', operations: exportRoutes },
  { name: 'erasures', description: 'Erasing parts of events, provably', operations: erasureRoutes },
  { name: 'webhooks', description: 'Who is told of exports', operations: [...webhookRoutes, redeliverOne] },
  {
    name: 'tenants',
    description: 'Customers, for the management',
    operations: [...tenantRoutes, restartTenantLog, listManagementEvents],
  },
  { name: 'api-keys', description: 'Who may do what', operations: apiKeyRoutes },
  { name: 'limits', description: 'What a caller has, and where', operations: [getLimits, listRegions] },
  { name: 'tokens', description: 'Tokens for API keys, as clients of Frontegg ask for them', operations: [getToken] },
  { name: 'audits', description: 'The audits API of Frontegg, for clients that speak it', operations: auditRoutes },
  // With S3 as the storage its links lead there.
  ...(storageEngineOf(config) === 'file'
    ? [{ name: 'files', description: 'Download links of the file storage', operations: [getFile] }]
    : []),
  {
    name: 'operations',
    description: 'Health and figures, for operators',
    operations: [...healthRoutes, getMetrics, getBoard],
  },
  { name: 'document', description: 'This document', operations: [getOpenApi, ...docsRoutes] },
];

const isRoute = (operation: Route<RouteDeps> | Operation): operation is Route<RouteDeps> => 'handle' in operation;

/** The calls to mount: those past access control, those that need no key, and those that need one. */
export function routesOf(groups: readonly RouteGroup[]) {
  const all = groups.flatMap(({ operations }) => operations).filter(isRoute);
  return {
    open: all.filter(({ by }) => by === 'public'),
    forAnybody: all.filter(({ by }) => by === 'anybody'),
    forCallers: all.filter(({ by }) => by !== 'public' && by !== 'anybody'),
  };
}

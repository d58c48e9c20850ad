import querystring from 'node:querystring';
import express, { type Express } from 'express';
import { openByteBudget } from '../core/limits/byte-budget.ts';
import { memoryLimitBytes } from '../core/limits/memory.ts';
import { webhookGuard } from '../core/webhooks/webhook-address.ts';
import { openReading } from '../prisma/events/reading.ts';
import { openLinkLog } from '../prisma/exports/link-log.ts';
import { openStoreRoom } from '../prisma/exports/store-room.ts';
import { type Access, openAccess } from './access/access.ts';
import { requireCaller, withTenants } from './access/tenant-route.ts';
import type { AppDeps } from './app-deps.ts';
import { fronteggMounts, onePath } from './frontegg/paths.ts';
import { traceForFrontegg } from './frontegg/trace.ts';
import { crossOrigin } from './http/cors.ts';
import { cutUnread } from './http/cut-unread.ts';
import { errorHandler, noRoute } from './http/error-handler.ts';
import { fronteggErrors } from './http/frontegg-errors.ts';
import { holdMemory } from './http/held-memory.ts';
import { meterRequests } from './http/metrics.ts';
import { logRequests } from './http/request-log.ts';
import { requireSchema } from './http/require-schema.ts';
import { databaseBatcher, eventAppender } from './ingest/append-events.ts';
import { mount } from './mount.ts';
import type { Group } from './openapi/document.ts';
import { boardPath, boardRoutes } from './queues-board.ts';
import { groupsOf, type RouteDeps, routesOf } from './routes.ts';
import { openServedFiles } from './served-files.ts';
import { openEventStreams } from './streams/event-streams.ts';
import { openPlanChecks } from './v1/limits.ts';

/** Builds the whole HTTP API. It never listens, and connects to nothing. */
export function buildApp(deps: AppDeps): Express {
  const { config, log, metrics } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // Without any, the address of a client is that of its connection, whatever it says.
  app.set('trust proxy', config.LOGFERRY_TRUST_PROXY);
  // A repeated parameter is a list. Without a limit of names, as the default drops the rest in silence.
  app.set('query parser', (text: string) => querystring.parse(text, '&', '=', { maxKeys: 0 }));
  const memory = deps.memory ?? openByteBudget(memoryLimitBytes('api'), metrics);
  app.use(logRequests(log), meterRequests(metrics), cutUnread(metrics), holdMemory(memory));
  app.use(crossOrigin(config.CORS_ORIGINS));
  const access = openAccess(deps);
  const groups = groupsOf(config);
  const { open, forAnybody, forCallers } = routesOf(groups);
  const routeDeps = routeDepsOf(deps, access, groups);
  mount(app, open, routeDeps);
  app.use(onePath);
  app.use(fronteggMounts, traceForFrontegg);
  app.use(['/v1', '/audits', '/metadata', '/auth', '/.well-known'], requireSchema(deps));
  app.use(boardPath, boardRoutes({ queue: deps.queue, access: access.enter }));
  app.use(['/v1', '/audits', '/metadata', '/.well-known'], access.enter);
  mount(app, forAnybody, routeDeps);
  const { tenants } = access;
  app.use('/v1', requireCaller, withTenants({ config, tenants, tenantHeader: 'Logferry-Tenant' }));
  const forFrontegg = withTenants({ config, tenants, tenantHeader: 'frontegg-tenant-id' });
  app.use(['/audits', '/metadata'], requireCaller, forFrontegg);
  mount(app, forCallers, routeDeps);
  app.use(noRoute);
  app.use(fronteggMounts, errorHandler(log, fronteggErrors));
  app.use(errorHandler(log));
  return app;
}

function routeDepsOf(deps: AppDeps, access: Access, groups: readonly Group[]): RouteDeps {
  const batcher = databaseBatcher(deps.database);
  return {
    ...deps,
    streams: deps.streams ?? openEventStreams(deps),
    batcher,
    append: eventAppender({ ...deps, batcher }),
    access,
    forget: access.forget,
    guard: webhookGuard({ allow: deps.config.LOGFERRY_WEBHOOK_ALLOW }),
    planChecks: openPlanChecks(deps),
    reading: openReading(deps.database.pool),
    linkLog: openLinkLog(deps.database.prisma, deps.clock),
    storeRoom: deps.storeRoom ?? openStoreRoom(deps.database, deps.config.LOGFERRY_STORE_LIMIT),
    servedFiles: deps.servedFiles ?? openServedFiles(deps.database.prisma, deps.log),
    groups,
  };
}

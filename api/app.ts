import querystring from 'node:querystring';
import { fileURLToPath } from 'node:url';
import express, { type Express, Router } from 'express';
import { storageEngineOf } from '../core/engines.ts';
import { webhookGuard } from '../core/webhooks/webhook-address.ts';
import { type Access, openAccess } from './access/access.ts';
import { requireCaller, withTenants } from './access/tenant-route.ts';
import type { AppDeps, Shared } from './app-deps.ts';
import { fileRoutes } from './files.ts';
import { auditRoutes } from './frontegg/audits.ts';
import { authVendorRoutes } from './frontegg/auth-vendor.ts';
import { fronteggErrors, traceForFrontegg } from './frontegg/errors.ts';
import { metadataRoutes } from './frontegg/metadata.ts';
import { fronteggMounts, onePath } from './frontegg/paths.ts';
import { healthRoutes } from './health.ts';
import { crossOrigin } from './http/cors.ts';
import { errorHandler, noRoute } from './http/error-handler.ts';
import { countStream, meterRequests, metricsRoutes, rememberMount } from './http/metrics.ts';
import { logRequests } from './http/request-log.ts';
import { databaseBatcher, eventAppender } from './ingest/append-events.ts';
import { writeEventRoutes } from './ingest/write-events.ts';
import { openApiRoutes } from './openapi/routes.ts';
import { boardPath, boardRoutes } from './queues-board.ts';
import { openEventStreams } from './streams/event-streams.ts';
import { apiKeyRoutes } from './v1/api-keys.ts';
import { deliveryRoutes } from './v1/deliveries.ts';
import { eventRoutes } from './v1/events.ts';
import { exportEventRoutes } from './v1/export-events.ts';
import { exportRoutes } from './v1/exports.ts';
import { limitRoutes, openPlanChecks } from './v1/limits.ts';
import { regionRoutes } from './v1/regions.ts';
import { tenantRoutes } from './v1/tenants.ts';
import { verifyRoutes } from './v1/verify.ts';
import { webhookRoutes } from './v1/webhooks.ts';

/** Builds the whole HTTP API. It never listens, and connects to nothing. */
export function buildApp(deps: AppDeps): Express {
  const { config, log, metrics, checks, secretKey } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // Without any, the address of a client is that of its connection, whatever it says.
  app.set('trust proxy', config.LOGFERRY_TRUST_PROXY);
  // A repeated parameter is a list. Without a limit of names, as the default drops the rest in silence.
  app.set('query parser', (text: string) => querystring.parse(text, '&', '=', { maxKeys: 0 }));
  app.use(logRequests(log), meterRequests(metrics), crossOrigin(config.CORS_ORIGINS));
  app.use(healthRoutes({ checks, log }), metricsRoutes(metrics), openApiRoutes(config));
  if (storageEngineOf(config) === 'file') {
    app.use('/files', countStream(metrics, 'files'));
    app.use(fileRoutes({ directory: fileURLToPath(config.storageUrl), linkKey: secretKey.linkKey }));
  }
  const access = openAccess(deps);
  const streams = deps.streams ?? openEventStreams(deps);
  app.use(onePath);
  app.use(fronteggMounts, rememberMount, traceForFrontegg);
  app.use(boardPath, boardRoutes({ queue: deps.queue, access: access.enter }));
  const batcher = databaseBatcher(deps.database);
  const shared: Shared = { ...deps, streams, batcher, append: eventAppender({ ...deps, batcher }) };
  app.use('/v1', rememberMount, access.enter, versionOne(shared, access));
  app.use('/auth', authVendorRoutes({ config, secretKey, access }));
  const forTenants = withTenants({ config, tenants: access.tenants, tenantHeader: 'frontegg-tenant-id' });
  app.use('/audits', access.enter, requireCaller, forTenants, auditRoutes(shared, access));
  app.use('/metadata', access.enter, requireCaller, forTenants, metadataRoutes(shared));
  app.use(noRoute);
  app.use(fronteggMounts, errorHandler(log, fronteggErrors));
  app.use(errorHandler(log));
  return app;
}

/** Behind access control: the routes that anybody may call, then the others. */
function versionOne(deps: Shared, { tenants, forget }: Access): Router {
  const { config, database } = deps;
  const guard = webhookGuard({ allow: config.LOGFERRY_WEBHOOK_ALLOW });
  const router = Router();
  router.use(regionRoutes({ config }));
  router.use(requireCaller, withTenants({ config, tenants, tenantHeader: 'Logferry-Tenant' }));
  router.use(tenantRoutes({ config, database, forget }));
  router.use(apiKeyRoutes({ database, forget }));
  router.use(writeEventRoutes(deps));
  router.use(verifyRoutes({ database }));
  router.use(exportEventRoutes(deps));
  router.use(eventRoutes({ database }));
  router.use(deliveryRoutes(deps));
  router.use(exportRoutes({ ...deps, guard, planChecks: openPlanChecks(deps) }));
  router.use(limitRoutes(deps));
  router.use(webhookRoutes({ ...deps, guard }));
  return router;
}

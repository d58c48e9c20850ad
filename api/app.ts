import querystring from 'node:querystring';
import { fileURLToPath } from 'node:url';
import express, { type Express, type RequestHandler, Router } from 'express';
import type { Config } from '../core/config.ts';
import type { ReadinessCheck } from '../core/health.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import { keepRecent, type Recent } from '../core/recent.ts';
import type { SecretKey } from '../core/secret-key.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import { webhookGuard } from '../core/webhook-address.ts';
import { findKey, type KnownKey } from '../prisma/api-keys.ts';
import type { Database } from '../prisma/client.ts';
import { findTenant } from '../prisma/tenants.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { requireCaller, withTenants } from './authenticate.ts';
import { boardPath, boardRoutes } from './board.ts';
import { deliveryRoutes } from './deliveries.ts';
import { errorHandler, noRoute } from './error-handler.ts';
import { eventRoutes } from './events.ts';
import { exportRoutes } from './exports.ts';
import { fileRoutes } from './files.ts';
import { healthRoutes } from './health.ts';
import { identify } from './identify.ts';
import { countStream, meterRequests, metricsRoutes, rememberMount } from './metrics.ts';
import { limitRate } from './rate-limit.ts';
import { regionRoutes } from './regions.ts';
import { logRequests } from './request-log.ts';
import { tenantRoutes } from './tenants.ts';
import { verifyRoutes } from './verify.ts';
import { webhookRoutes } from './webhooks.ts';
import { databaseBatcher, writeEventRoutes } from './write-events.ts';

/**
 * Milliseconds for which a process goes by what it read of a key or a tenant. A revoked key must be refused within 5 s on
 * every process.
 */
const recentMs = 3000;

export type AppDeps = {
  config: Config;
  database: Database;
  log: Log;
  metrics: Metrics;
  queue: Queue;
  store: ObjectStore;
  secretKey: SecretKey;
  /** What GET /readyz asks. */
  checks: readonly ReadinessCheck[];
  /** Milliseconds since 1970, for tests. */
  clock?: () => number;
};

/** Builds the whole HTTP API. It never listens, and connects to nothing. */
export function buildApp(deps: AppDeps): Express {
  const { config, log, metrics, checks, secretKey } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // A repeated parameter is a list. Without a limit of names, as the default drops the rest in silence.
  app.set('query parser', (text: string) => querystring.parse(text, '&', '=', { maxKeys: 0 }));
  app.use(logRequests(log), meterRequests(metrics));
  app.use(healthRoutes({ checks, log }), metricsRoutes(metrics));
  if (config.storageUrl.startsWith('file:')) {
    app.use('/files', countStream(metrics, 'files'));
    app.use(fileRoutes({ directory: fileURLToPath(config.storageUrl), linkKey: secretKey.linkKey }));
  }
  const { keys, door } = openDoor(deps);
  app.use(boardPath, boardRoutes({ queue: deps.queue, door }));
  app.use('/v1', rememberMount, door, versionOne(deps, keys));
  app.use(noRoute);
  app.use(errorHandler(log));
  return app;
}

/** Who calls is found out first, as limits count by key. One door for all: guesses at it count together. */
function openDoor({ config, database, metrics, clock }: AppDeps): { keys: Recent<KnownKey>; door: RequestHandler[] } {
  const keys = keepRecent((key) => findKey(database.prisma, key), { maxAgeMs: recentMs, clock });
  return { keys, door: [identify({ config, keys, clock }), limitRate(config.LOGFERRY_RATE_LIMIT, metrics)] };
}

/** Behind the door: the routes that anybody may call, then the others. */
function versionOne(deps: AppDeps, keys: Recent<KnownKey>): Router {
  const { config, database, clock } = deps;
  const guard = webhookGuard({ allow: config.LOGFERRY_WEBHOOK_ALLOW });
  const tenants = keepRecent((id) => findTenant(database.prisma, id), {
    maxAgeMs: recentMs,
    // A tenant may be made by another process and be used here at once.
    keepMissing: false,
    clock,
  });
  const forget = () => {
    keys.forget();
    tenants.forget();
  };
  const router = Router();
  router.use(regionRoutes({ config }));
  router.use(requireCaller, withTenants({ config, tenants }));
  router.use(tenantRoutes({ config, database, forget }));
  router.use(apiKeyRoutes({ database, forget }));
  router.use(writeEventRoutes({ database, batcher: databaseBatcher(database), metrics: deps.metrics }));
  router.use(verifyRoutes({ database }));
  router.use(eventRoutes({ database }));
  router.use(deliveryRoutes(deps));
  router.use(exportRoutes({ ...deps, guard }));
  router.use(webhookRoutes({ ...deps, guard }));
  return router;
}

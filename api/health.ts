import { type Response, Router } from 'express';
import { type HealthReply, liveness, type ReadinessCheck, readiness } from '../core/health.ts';
import type { Log } from '../core/log.ts';

/** GET /livez: the process runs and answers. GET /readyz: all that it needs is there (core/health.ts). */
export function healthRoutes({ checks, log }: { checks: readonly ReadinessCheck[]; log: Log }): Router {
  const askReadiness = readiness(checks, log);
  const router = Router();
  router.get('/livez', (_request, response) => send(response, liveness()));
  router.get('/readyz', async (_request, response) => send(response, await askReadiness()));
  return router;
}

const send = (response: Response, { status, headers, body }: HealthReply): void =>
  void response.status(status).set(headers).json(body);

import { Router } from 'express';
import type { Log } from '../core/log.ts';

/** Something that the process cannot serve without; `check` fails when it is not there. */
export type ReadinessCheck = { name: string; check(): Promise<unknown> };

/** Milliseconds that one check may take. */
const checkTimeoutMs = 2000;

/**
 * GET /livez: the process runs and answers. GET /readyz: all checks pass, asked side by side; 503 names those that do
 * not. Why they do not is in the log alone: the route is open to anybody.
 */
export function healthRoutes({ checks, log }: { checks: readonly ReadinessCheck[]; log: Log }): Router {
  const router = Router();
  router.get('/livez', (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const results = await Promise.all(checks.map((each) => run(each, log)));
    const notReady = results.filter((result) => !result.ok).map((result) => result.name);
    response.set('Cache-Control', 'no-store');
    if (notReady.length > 0) response.set('Retry-After', '5');
    response.status(notReady.length === 0 ? 200 : 503).json({
      status: notReady.length === 0 ? 'ok' : 'unavailable',
      checks: Object.fromEntries(results.map(({ name, ok }) => [name, ok ? 'ok' : 'not ready'])),
      not_ready: notReady,
    });
  });
  return router;
}

async function run({ name, check }: ReadinessCheck, log: Log): Promise<{ name: string; ok: boolean }> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    await Promise.race([check(), tooLate]);
    return { name, ok: true };
  } catch (error) {
    log.warn({ err: error, check: name }, 'not ready');
    return { name, ok: false };
  } finally {
    clearTimeout(timer);
  }
}

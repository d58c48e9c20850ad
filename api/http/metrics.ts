import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Metrics } from '../../core/metrics.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { localsOf } from '../access/locals.ts';

/** GET /metrics, for Prometheus. Open to anybody who reaches the port, as /livez is: it names no tenant and no event. */
export function metricsRoutes(metrics: Metrics): Router {
  metrics.set('logferry_build_info', 1, { version: packageJson.version });
  const router = Router();
  router.get('/metrics', async (_request, response) => {
    const { contentType, text } = await metrics.scrape();
    // setHeader, as Express would write the type in its own way.
    response.setHeader('Content-Type', contentType);
    response.set('Cache-Control', 'no-store').end(text);
  });
  return router;
}

/** Counts and times each request by the pattern of its route: raw paths would make a series for each id. */
export function meterRequests(metrics: Metrics): RequestHandler {
  return (request, response, next) => {
    const start = performance.now();
    response.on('close', () => {
      const route = routeOf(request, response);
      // Node's parser lets through the methods that it knows, and no others.
      const { method } = request;
      metrics.add('logferry_http_requests_total', 1, { route, method, status: String(response.statusCode) });
      metrics.observe('logferry_http_request_seconds', (performance.now() - start) / 1000, { route, method });
    });
    next();
  };
}

/** For routers that are mounted under a path: it is gone from the request by the time an error is answered. */
export const rememberMount: RequestHandler = (request, response, next) => {
  localsOf(response).mount = request.baseUrl;
  next();
};

/** What stands for a whole folder of pages in the metrics. */
export const countAs =
  (route: string): RequestHandler =>
  (_request, response, next) => {
    localsOf(response).countedAs = route;
    next();
  };

/** A request that was refused before its route (no key, too many) has none, nor has one for which there is no route. */
function routeOf(request: Request, response: Response): string {
  const { countedAs, mount = '' } = localsOf(response);
  if (countedAs) return countedAs;
  return request.route ? `${mount}${request.route.path}` : 'none';
}

type StreamKind = 'progress' | 'events_in' | 'events_out' | 'files';

/** Counts the reply among the streams under way until it has ended or its client has gone. */
export function meterStream(metrics: Metrics, kind: StreamKind, response: Response): void {
  if (response.closed) return;
  metrics.add('logferry_http_streams', 1, { kind });
  response.once('close', () => metrics.add('logferry_http_streams', -1, { kind }));
}

/** Counts the replies of all routes behind it among the streams under way. */
export const countStream =
  (metrics: Metrics, kind: StreamKind): RequestHandler =>
  (_request, response, next) => {
    meterStream(metrics, kind, response);
    next();
  };

import type { Request, RequestHandler, Response } from 'express';
import type { Metrics } from '../../core/metrics.ts';
import { localsOf } from '../access/locals.ts';

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

/** What stands for a whole folder of pages in the metrics. */
export const countAs =
  (route: string): RequestHandler =>
  (_request, response, next) => {
    localsOf(response).countedAs = route;
    next();
  };

/** A request that was refused before its route (no key, too many) has none, nor has one for which there is no route. */
function routeOf(request: Request, response: Response): string {
  return localsOf(response).countedAs ?? request.route?.path ?? 'none';
}

type StreamKind = 'progress' | 'events_in' | 'events_out' | 'files';

/** Counts the reply among the streams under way until it has ended or its client has gone. */
export function meterStream(metrics: Metrics, kind: StreamKind, response: Response): void {
  if (response.closed) return;
  metrics.add('logferry_http_streams', 1, { kind });
  response.once('close', () => metrics.add('logferry_http_streams', -1, { kind }));
}

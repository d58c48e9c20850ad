import type { RequestHandler } from 'express';
import type { Metrics } from '../core/metrics.ts';
import packageJson from '../package.json' with { type: 'json' };
import type { Route } from './route.ts';

type Deps = { metrics: Metrics };

/** Open to anybody who reaches the port, as /livez is: it names no tenant and no event. */
export const getMetrics: Route<Deps> = {
  id: 'getMetrics',
  method: 'get',
  path: '/metrics',
  summary: 'Figures for Prometheus',
  by: 'public',
  replies: {
    200: {
      description: 'In the text format of Prometheus',
      headers: ['Cache-Control'],
      content: { 'text/plain': { schema: { type: 'string' }, example: 'logferry_database_up 1\n' } },
    },
  },
  handle: scrape,
};

function scrape({ metrics }: Deps): RequestHandler {
  metrics.set('logferry_build_info', 1, { version: packageJson.version });
  return async (_request, response) => {
    const { contentType, text } = await metrics.scrape();
    // setHeader, as Express would write the type in its own way.
    response.setHeader('Content-Type', contentType);
    response.set('Cache-Control', 'no-store').end(text);
  };
}

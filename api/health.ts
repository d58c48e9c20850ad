import type { RequestHandler, Response } from 'express';
import { type HealthReply, liveness, type ReadinessCheck, readiness } from '../core/health.ts';
import type { Log } from '../core/log.ts';
import { reply } from './openapi/described.ts';
import type { Route } from './route.ts';

type Deps = { checks: readonly ReadinessCheck[]; log: Log };

/** Whether the process runs and answers, and whether all that it needs is there (core/health.ts). */
export const healthRoutes: readonly Route<Deps>[] = [
  {
    id: 'getLiveness',
    method: 'get',
    path: '/livez',
    summary: 'Whether the process answers',
    by: 'public',
    replies: { 200: reply('It does', { schema: 'Liveness', example: { status: 'ok' }, headers: ['Cache-Control'] }) },
    handle: () => (_request, response) => send(response, liveness()),
  },
  {
    id: 'getReadiness',
    method: 'get',
    path: '/readyz',
    summary: 'Whether the process can serve, and what is missing',
    by: 'public',
    replies: {
      200: reply('It can', {
        schema: 'Readiness',
        example: { status: 'ok', checks: { database: 'ok', queue: 'away' }, not_ready: [], warnings: ['queue'] },
        headers: ['Cache-Control'],
      }),
      503: reply('It cannot', {
        schema: 'Readiness',
        example: { status: 'unavailable', checks: { database: 'not ready' }, not_ready: ['database'], warnings: [] },
        headers: ['Cache-Control', 'Retry-After'],
      }),
    },
    handle: getReadiness,
  },
];

function getReadiness({ checks, log }: Deps): RequestHandler {
  const askReadiness = readiness(checks, log);
  return async (_request, response) => send(response, await askReadiness());
}

const send = (response: Response, { status, headers, body }: HealthReply): void =>
  void response.status(status).set(headers).json(body);

import type { Request, RequestHandler, Response } from 'express';
import { newId } from '../../core/ids.ts';
import type { Log, LogFields } from '../../core/log.ts';
import { localsOf } from '../access/locals.ts';
import { findCaller, findTenantOf } from '../access/tenant-route.ts';

const saneRequestId = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * Gives every request its id (the client's own, if it sent a sane `X-Request-Id`) and writes one line when the reply has
 * ended. Query strings stay out of the log: signed links carry their signature there.
 */
export function logRequests(log: Log): RequestHandler {
  return (request, response, next) => {
    const start = performance.now();
    const asked = request.get('x-request-id');
    const id = asked !== undefined && saneRequestId.test(asked) ? asked : newId();
    localsOf(response).requestId = id;
    response.set('X-Request-Id', id);
    response.on('close', () => log.info(entryOf(request, response, performance.now() - start), 'request'));
    next();
  };
}

/** The id of this request, as in the reply's `X-Request-Id`. */
export const requestIdOf = (response: Response): string => localsOf(response).requestId!;

/** Has the line of this request name the export that it is about. */
export const logExportId = (response: Response, id: string): void => {
  localsOf(response).exportId = id;
};

/** Who and what the request is about, as far as that is known by now. */
export const idsOf = (response: Response): LogFields => ({
  request_id: requestIdOf(response),
  tenant_id: findTenantOf(response)?.id ?? findCaller(response)?.tenant?.id,
  key_id: findCaller(response)?.keyId ?? undefined,
  export_id: localsOf(response).exportId,
});

const entryOf = (request: Request, response: Response, durationMs: number): LogFields => ({
  ...idsOf(response),
  method: request.method,
  path: request.originalUrl.split('?', 1)[0],
  status: response.statusCode,
  duration_ms: Math.round(durationMs * 10) / 10,
  // The client went away before it had the whole reply.
  ...(response.writableFinished ? {} : { aborted: true }),
});

import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { AppError, type ErrorType } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { isFull, isOutage, isTimeout } from '../../prisma/outage.ts';
import { allowedMethods } from './allowed-methods.ts';
import { idsOf, requestIdOf } from './request-log.ts';

/** Seconds after which a client should try again what failed for want of the database. */
const outageRetrySeconds = 5;

/** The same when the disk is full, which somebody has to repair. */
const fullRetrySeconds = 60;

const titles: Record<ErrorType, string> = {
  bad_request: 'The request cannot be read',
  authentication_error: 'Not authenticated',
  scope_error: 'The key may not do this',
  plan_feature_unavailable: 'Not part of the plan',
  not_found: 'Not found',
  method_not_allowed: 'Method not allowed',
  conflict: 'Conflict with the present state',
  gone: 'No longer there',
  payload_too_large: 'The body is too large',
  unsupported_media_type: 'Content type not supported',
  range_not_satisfiable: 'Range not satisfiable',
  misdirected_request: 'Wrong region',
  validation_error: 'The input is not valid',
  idempotency_mismatch: 'Idempotency key used for another request',
  plan_limit_exceeded: 'Limit of the plan exceeded',
  rate_limit_exceeded: 'Too many requests',
  server_error: 'Internal error',
  unavailable: 'Not available now',
};

/** What is left when no route took the request: 405 when another method would have been taken, 404 else. */
export const noRoute: RequestHandler = (request) => {
  const allow = allowedMethods(request.app.router, request.path);
  if (allow.length === 0) {
    throw new AppError('not_found', `There is nothing at ${request.path.slice(0, 200)}. Check the path.`);
  }
  const message = `${request.method} is not possible here. Allowed: ${allow.join(', ')}.`;
  throw new AppError('method_not_allowed', message, { headers: { Allow: allow.join(', ') } });
};

/** How one of the APIs that are spoken here writes its errors. */
export type ErrorFamily = {
  contentType: string;
  /** Where it differs from the error's own. */
  statusOf?(error: AppError): number;
  /** Besides those of the error itself. */
  headersOf?(error: AppError): Record<string, string>;
  bodyOf(error: AppError, requestId: string): object;
};

/** RFC 9457 problem documents that carry the LogProof member `error` as well. */
const problems: ErrorFamily = {
  contentType: 'application/problem+json; charset=utf-8',
  bodyOf: (error, requestId) => problemOf(error, requestId),
};

/**
 * Answers whatever was thrown. The text of an error that is not for clients goes to the log, never into the reply.
 */
export function errorHandler(log: Log, family: ErrorFamily = problems): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const error = toAppError(thrown);
    if (error.status >= 500) log.error({ ...idsOf(response), err: thrown }, 'request failed');
    if (response.headersSent) {
      // Too late for a status. A cut connection tells the client that what it has is not the whole.
      response.destroy();
      return;
    }
    sendError(request, response, { error, family });
  };
}

type Reply = { error: AppError; family: ErrorFamily };

function sendError(request: Request, response: Response, { error, family }: Reply): void {
  for (const name of response.getHeaderNames()) {
    // What the route had set for its own body is wrong for this one.
    if (/^(content-|etag$|last-modified$|accept-ranges$)/.test(name)) response.removeHeader(name);
  }
  response
    .status(family.statusOf?.(error) ?? error.status)
    .set('Cache-Control', 'no-store')
    .set({ ...error.headers, ...family.headersOf?.(error) });
  response.set('Content-Type', family.contentType);
  response.end(request.method === 'HEAD' ? undefined : JSON.stringify(family.bodyOf(error, requestIdOf(response))));
}

/** The body of a problem document. */
export const problemOf = (error: AppError, requestId: string) => ({
  type: `https://logferry.dev/errors/${error.type}`,
  title: titles[error.type],
  status: error.status,
  detail: error.message,
  ...(error.errors.length > 0 && { errors: error.errors }),
  request_id: requestId,
  ...error.members,
  error: { type: error.type, message: error.message },
});

function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (isOutage(thrown)) {
    const message = 'The database cannot be reached just now. Try again in a few seconds.';
    const headers = { 'Retry-After': String(outageRetrySeconds) };
    return new AppError('unavailable', message, { cause: thrown, headers });
  }
  if (isFull(thrown)) {
    const message =
      'The database has no room for this just now. Nothing was taken; try again later, or ask the operator.';
    const headers = { 'Retry-After': String(fullRetrySeconds) };
    return new AppError('unavailable', message, { cause: thrown, headers });
  }
  if (isTimeout(thrown)) {
    const message =
      'This took the database too long and was given up. Narrow it by "from" and "to", or create an export, which may take as long as it needs.';
    const headers = { 'Retry-After': String(outageRetrySeconds) };
    return new AppError('unavailable', message, { cause: thrown, headers });
  }
  // Express marks what the client caused (a path that cannot be decoded) with a 4xx status.
  const status = Number((thrown as { status?: unknown } | null)?.status);
  if (thrown instanceof Error && status >= 400 && status < 500) {
    return new AppError('bad_request', `The request cannot be read: ${thrown.message}`, { cause: thrown });
  }
  return new AppError('server_error', 'Something went wrong here. Give the request_id when you report it.', {
    cause: thrown,
  });
}

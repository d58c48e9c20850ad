import cors from 'cors';
import type { RequestHandler } from 'express';

/** The APIs, their description, and the files that their links lead to. Not for pages of other origins: the board, metrics and health. */
const paths = /^\/+(?:v1|audits|auth|metadata|frontegg|files|openapi\.json)(?:\/|\?|$)/i;

/** What a page may send besides what it always may. The second part is Frontegg's browser client's (seen on the wire). */
const allowedHeaders = [
  ...['Authorization', 'x-access-token', 'Content-Type', 'Content-Encoding', 'Range'],
  ...['Idempotency-Key', 'Prefer', 'Logferry-Tenant', 'X-Request-Id', 'Last-Event-ID', 'traceparent', 'tracestate'],
  ...['frontegg-tenant-id', 'frontegg-user-id', 'frontegg-environment-id', 'frontegg-application-id'],
  ...['frontegg-vendor-id', 'frontegg-source', 'frontegg-scoped-tenant', 'frontegg-requested-application-id'],
  ...['frontegg-login-alias', 'x-frontegg-sdk', 'x-frontegg-framework'],
];

/** What a page may read of a reply besides what it always may. */
const exposedHeaders = [
  ...['X-Request-Id', 'Location', 'Retry-After', 'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'],
  ...['Content-Disposition', 'Content-Range', 'Accept-Ranges', 'ETag', 'Idempotency-Replayed', 'Preference-Applied'],
  ...['WWW-Authenticate', 'Allow', 'Logferry-As-Of-Sequence', 'frontegg-trace-id', 'X-Rate-Limit-Reset'],
];

/** Seconds for which a browser need not ask again; none keeps it for longer than this. */
const maxAge = 7_200;

/**
 * Lets pages of other origins call the APIs (CORS): of all with `*`, else of those in the list, and no others get a header.
 * No cookies are used, so none are allowed. A preflight is answered 204 here, before anybody is asked for a key or counted.
 */
export function crossOrigin(origins: readonly string[]): RequestHandler {
  const isOpen = origins.includes('*');
  const allow = cors({
    origin: isOpen ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders,
    exposedHeaders,
    maxAge,
  });
  return (request, response, next) => {
    if (!paths.test(request.url)) return next();
    const { origin, 'access-control-request-method': wanted } = request.headers;
    const isPreflight = request.method === 'OPTIONS' && origin !== undefined && wanted !== undefined;
    // An OPTIONS request that is none asks for something else.
    if (request.method === 'OPTIONS' && !isPreflight) return next();
    if (isOpen || origins.includes(origin ?? '')) return allow(request, response, next);
    // What another origin got must not be given to one that is listed, by a cache between.
    response.vary('Origin');
    if (isPreflight) return void response.status(204).end();
    next();
  };
}

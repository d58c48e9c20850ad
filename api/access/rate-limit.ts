import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, type RateLimitInfo, rateLimit } from 'express-rate-limit';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { RedisCounter } from '../../core/queue/redis-counter.ts';
import { sharedCounts } from './shared-counts.ts';
import { findCaller } from './tenant-route.ts';

export const rateWindowMs = 60_000;

export type RateLimitDeps = {
  perMinute: number;
  metrics: Metrics;
  log: Log;
  /** Where all processes count together; without it, each counts by itself. */
  counter: RedisCounter | undefined;
};

/**
 * At most `perMinute` requests a minute for each key (with the tokens made for it) and each user, and for each address
 * (IPv6: each /56) that sends none or a bad one: so none can use up what another has. 0 is no limit.
 *
 * Sets `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds since 1970); fails with AppError
 * rate_limit_exceeded and `Retry-After`.
 */
export function limitRate({ perMinute, metrics, log, counter }: RateLimitDeps): RequestHandler {
  if (perMinute === 0) return (_request, _response, next) => next();
  return rateLimit({
    windowMs: rateWindowMs,
    limit: perMinute,
    legacyHeaders: true,
    standardHeaders: false,
    store: counter && sharedCounts(counter, log),
    // Anybody may send the headers of proxies; whom to believe is set by LOGFERRY_TRUST_PROXY.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    keyGenerator(request, response) {
      return findCaller(response)?.countedAs ?? `address ${ipKeyGenerator(request.ip ?? '')}`;
    },
    handler(request, _response, next) {
      metrics.add('logferry_http_rate_limited_total', 1);
      const resetAt = rateOf(request)?.resetTime?.getTime() ?? Date.now() + rateWindowMs;
      const seconds = Math.max(1, Math.ceil((resetAt - Date.now()) / 1000));
      const message = `More than ${perMinute} requests within a minute. Try again in ${seconds} s.`;
      next(new AppError('rate_limit_exceeded', message, { headers: { 'Retry-After': String(seconds) } }));
    },
  });
}

/** How much of its share the caller has used, with this request; undefined where there is no limit. */
export const rateOf = (request: Request): RateLimitInfo | undefined =>
  (request as unknown as { rateLimit?: RateLimitInfo }).rateLimit;

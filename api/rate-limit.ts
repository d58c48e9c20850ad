import type { RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { AppError } from '../core/errors.ts';
import type { Metrics } from '../core/metrics.ts';
import { findCaller } from './authenticate.ts';

const windowMs = 60_000;

/**
 * At most `perMinute` requests a minute for each key, and for each address (IPv6: each /56) that sends none or a bad one:
 * so neither can use up what the other has. 0 is no limit. Counted in this process.
 *
 * Sets `X-RateLimit-Limit` and `X-RateLimit-Remaining`; fails with AppError rate_limit_exceeded and `Retry-After`.
 */
export function limitRate(perMinute: number, metrics: Metrics): RequestHandler {
  if (perMinute === 0) return (_request, _response, next) => next();
  return rateLimit({
    windowMs,
    limit: perMinute,
    legacyHeaders: true,
    standardHeaders: false,
    keyGenerator(request, response) {
      const caller = findCaller(response);
      return caller ? caller.countedAs : `address ${ipKeyGenerator(request.ip ?? '')}`;
    },
    handler(request, _response, next) {
      metrics.add('logferry_http_rate_limited_total', 1);
      const { resetTime } = (request as unknown as { rateLimit: { resetTime?: Date } }).rateLimit;
      const seconds = Math.max(1, Math.ceil(((resetTime?.getTime() ?? Date.now() + windowMs) - Date.now()) / 1000));
      const message = `More than ${perMinute} requests within a minute. Try again in ${seconds} s.`;
      next(new AppError('rate_limit_exceeded', message, { headers: { 'Retry-After': String(seconds) } }));
    },
  });
}

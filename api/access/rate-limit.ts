import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, type RateLimitInfo, rateLimit } from 'express-rate-limit';
import type { Config } from '../../core/config.ts';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { RedisCounter } from '../../core/queue/redis-counter.ts';
import { sharedCounts } from './shared-counts.ts';
import { findCaller } from './tenant-route.ts';

export const rateWindowMs = 60_000;

/** Requests a minute; 0 is no limit. */
export type Rates = { perKey: number; perTenant: number };

export type RateLimitDeps = Rates & {
  metrics: Metrics;
  log: Log;
  /** Where all processes count together; without it, each counts by itself. */
  counter: RedisCounter | undefined;
};

/** A tenant has so many times what one key has, unless the configuration says otherwise. */
const keysOfTenant = 5;

export const ratesOf = ({
  LOGFERRY_RATE_LIMIT: perKey,
  LOGFERRY_TENANT_RATE_LIMIT: perTenant = keysOfTenant * perKey,
}: Pick<Config, 'LOGFERRY_RATE_LIMIT' | 'LOGFERRY_TENANT_RATE_LIMIT'>): Rates => ({ perKey, perTenant });

/**
 * At most `perKey` requests a minute for each key (with the tokens made for it) and each user, and for each address (IPv6:
 * each /56) that sends none or a bad one; and at most `perTenant` for all of a tenant together, however many keys it makes.
 *
 * Sets `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds since 1970) of the nearer of the two;
 * fails with AppError rate_limit_exceeded and `Retry-After`.
 */
export function limitRate({ perKey, perTenant, ...deps }: RateLimitDeps): RequestHandler[] {
  const ofKey = limiter(deps, { limit: perKey, property: 'keyRate', what: '', countedAs });
  const ofTenant = limiter(deps, {
    limit: perTenant,
    property: 'tenantRate',
    what: ' of this tenant',
    countedAs: (_request, response) => {
      const tenant = findCaller(response)?.tenant;
      return tenant && `tenant ${tenant.id}`;
    },
  });
  return [...ofKey, ...ofTenant];
}

type CountedAs = (request: Request, response: Response) => string | undefined;

const countedAs: CountedAs = (request, response) =>
  findCaller(response)?.countedAs ?? `address ${ipKeyGenerator(request.ip ?? '')}`;

type RateProperty = 'keyRate' | 'tenantRate';

/** @param countedAs whose share is used; undefined for nobody's */
function limiter(
  { metrics, log, counter }: Omit<RateLimitDeps, keyof Rates>,
  { limit, property, what, countedAs }: { limit: number; property: RateProperty; what: string; countedAs: CountedAs },
): RequestHandler[] {
  if (limit === 0) return [];
  const count = rateLimit({
    windowMs: rateWindowMs,
    limit,
    legacyHeaders: false,
    standardHeaders: false,
    requestPropertyName: property,
    store: counter && sharedCounts(counter, log),
    // Anybody may send the headers of proxies; whom to believe is set by LOGFERRY_TRUST_PROXY.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    skip: (request, response) => countedAs(request, response) === undefined,
    keyGenerator: (request, response) => countedAs(request, response)!,
    handler(request, response, next) {
      showRate(request, response);
      metrics.add('logferry_http_rate_limited_total', 1);
      const resetAt = infoOf(request, property)?.resetTime?.getTime() ?? Date.now() + rateWindowMs;
      const seconds = Math.max(1, Math.ceil((resetAt - Date.now()) / 1000));
      const message = `More than ${limit} requests${what} within a minute. Try again in ${seconds} s.`;
      next(new AppError('rate_limit_exceeded', message, { headers: { 'Retry-After': String(seconds) } }));
    },
  });
  const show: RequestHandler = (request, response, next) => {
    showRate(request, response);
    next();
  };
  return [count, show];
}

function showRate(request: Request, response: Response): void {
  const rate = rateOf(request);
  if (!rate) return;
  response.set('X-RateLimit-Limit', String(rate.limit));
  response.set('X-RateLimit-Remaining', String(rate.remaining));
  if (rate.resetTime) response.set('X-RateLimit-Reset', String(Math.ceil(rate.resetTime.getTime() / 1000)));
}

const infoOf = (request: Request, property: RateProperty): RateLimitInfo | undefined =>
  (request as unknown as Partial<Record<RateProperty, RateLimitInfo>>)[property];

/** How much of its share the caller has used, with this request, by the limit that is nearer; undefined where there is none. */
export function rateOf(request: Request): RateLimitInfo | undefined {
  const [ofKey, ofTenant] = [infoOf(request, 'keyRate'), infoOf(request, 'tenantRate')];
  return ofKey && ofTenant ? (ofTenant.remaining < ofKey.remaining ? ofTenant : ofKey) : (ofKey ?? ofTenant);
}

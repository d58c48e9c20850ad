import type { Request, RequestHandler } from 'express';
import { keepRecent } from '../../core/async/recent.ts';
import type { Config } from '../../core/config.ts';
import { hasRoom, limitNames, limits, limitsOf, nextDay, type PlanLimits } from '../../core/exports/plan-limits.ts';
import { formatTimestamp } from '../../core/times.ts';
import { type Database, pgSql } from '../../prisma/client.ts';
import { readUsage } from '../../prisma/exports/usage.ts';
import { countHoldings } from '../../prisma/holdings.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import { rateOf } from '../access/rate-limit.ts';
import { tenancy } from '../access/tenant-route.ts';
import { reply } from '../openapi/described.ts';
import { limitsExample } from '../openapi/examples.ts';
import type { LimitReply } from '../openapi/schemas/account.ts';
import type { Route } from '../route.ts';

export type LimitsDeps = {
  config: Pick<Config, 'LOGFERRY_PLAN_LIMITS'>;
  database: Database;
  /** Milliseconds since 1970, for tests. */
  clock?: () => number;
};

/** @returns the limits that an export of the tenant must be checked against, if any */
export type PlanChecks = (tenant: TenantRow) => Promise<PlanLimits | undefined>;

/** Milliseconds for which a tenant who is far from all limits is taken to be so. */
const farMs = 5_000;

/** None must be checked while the tenant is far from all of them, as counting a tenant's exports takes time when there are many. */
export function openPlanChecks({ config, database, clock = Date.now }: LimitsDeps): PlanChecks {
  const recent = keepRecent((tenantId) => readUsage(pgSql(database.pool), tenantId, clock()), {
    maxAgeMs: farMs,
    clock,
  });
  return async ({ id, plan }) => {
    const planLimits = limitsOf(plan, config.LOGFERRY_PLAN_LIMITS);
    const used = await recent.get(id);
    return used && hasRoom(planLimits, used) ? undefined : planLimits;
  };
}

/**
 * How much the tenant and the key have, and have used. Any key may ask; one of the management that names no tenant hears of its
 * requests alone. It counts as a request, like all others.
 */
export const getLimits: Route<LimitsDeps> = {
  id: 'getLimits',
  method: 'get',
  path: '/v1/limits',
  summary: 'Read the limits, and what is used of them',
  by: 'any key',
  replies: { 200: reply('The limits', { schema: 'Limits', example: limitsExample, headers: ['Cache-Control'] }) },
  handle: tellLimits,
};

function tellLimits({ config, database, clock = Date.now }: LimitsDeps): RequestHandler {
  return async (request, response) => {
    const tenant = await tenancy(request, response).findTenant();
    const requests = requestsOf(request);
    const resources: Record<string, LimitReply> = { requests_per_minute: requests };
    if (tenant) {
      const now = clock();
      const planLimits = limitsOf(tenant.plan, config.LOGFERRY_PLAN_LIMITS);
      const sql = pgSql(database.pool);
      const used = { ...(await readUsage(sql, tenant.id, now)), ...(await countHoldings(sql, tenant.id)) };
      for (const name of limitNames) {
        resources[name] = shown(planLimits[name], used[name], limits[name].isDaily ? nextDay(now) : undefined);
      }
    }
    response.json({ plan: tenant?.plan ?? null, resources, rate: requests });
  };
}

function requestsOf(request: Request): LimitReply {
  const rate = rateOf(request);
  return rate ? shown(rate.limit, rate.used, rate.resetTime?.getTime()) : shown(null, 0, undefined);
}

const shown = (limit: number | null, used: number, resetMs: number | undefined): LimitReply => ({
  limit,
  used,
  remaining: limit === null ? null : Math.max(0, limit - used),
  reset: resetMs === undefined ? null : Math.ceil(resetMs / 1000),
  reset_at: resetMs === undefined ? null : formatTimestamp(new Date(resetMs)),
});

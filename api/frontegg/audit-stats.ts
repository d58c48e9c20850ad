import type { RequestHandler } from 'express';
import { dayMs } from '../../core/times.ts';
import { countRecent } from '../../prisma/events/counts.ts';
import { tenantSql } from '../../prisma/isolation/as-role.ts';
import { tenancy } from '../access/tenant-route.ts';
import { reply } from '../openapi/described.ts';
import type { Route } from '../route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { fronteggCall } from './described.ts';

export const readAuditStats: Route<AuditDeps> = {
  id: 'getAuditStats',
  method: 'get',
  path: '/audits/stats',
  summary: 'Count the audits of today, and the severe ones of this week',
  by: 'events:read',
  replies: { 200: reply('In UTC', { schema: 'AuditStats', example: { totalToday: 3, severeThisWeek: 1 } }) },
  ...fronteggCall,
  handle: getStats,
};

function getStats({ database, clock = Date.now }: AuditDeps): RequestHandler {
  return async (request, response) => {
    const tenant = await tenancy(request, response).tenantIfKnown();
    const since = startOfDayAndWeek(clock());
    const none = { totalToday: 0, severeThisWeek: 0 };
    response.json(tenant ? await countRecent(tenantSql(database.pool, tenant.id), tenant.id, since) : none);
  };
}

/** When this day and this week began, in UTC; weeks begin on Monday (ISO 8601). */
function startOfDayAndWeek(now: number): { today: number; week: number } {
  const today = now - (now % dayMs);
  const daysSinceMonday = (new Date(now).getUTCDay() + 6) % 7;
  return { today, week: today - daysSinceMonday * dayMs };
}

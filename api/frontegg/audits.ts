import { type RequestHandler, Router } from 'express';
import type { Event } from '../../core/events/events.ts';
import { type AuditQuery, readAuditQuery } from '../../core/frontegg/audit-query.ts';
import { auditView } from '../../core/frontegg/audit-view.ts';
import { parseJson } from '../../core/json/json.ts';
import { dayMs } from '../../core/times.ts';
import { pgSql } from '../../prisma/client.ts';
import { countRecent } from '../../prisma/events/counts.ts';
import { countAcross, listAcross } from '../../prisma/events/list-across-tenants.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import type { Access } from '../access/access.ts';
import { requireScope, tenancy } from '../access/tenant-route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { createAuditRoute } from './create-audit.ts';
import { exportAuditRoutes } from './export-audits.ts';
import { auditFigureRoutes } from './figures.ts';
import { readableTenants, tenantNameOf } from './readable-tenants.ts';

/** Audits that one page of a list has when the client does not say, and at most; the older list has always given more. */
const pageLimits = { default: 200, v2: 200, v1: 1_000 };

/** /audits, as Frontegg's clients call it: lists, writing, exports, figures. */
export function auditRoutes(deps: AuditDeps, access: Access): Router {
  const { database, config, secretKey } = deps;
  const sql = pgSql(database.pool);
  const router = Router();

  const list =
    (mostCount: number): RequestHandler =>
    async (request, response) => {
      requireScope(response, 'events:read');
      const query = readAuditQuery(request.query, mostCount);
      const region = config.LOGFERRY_REGION;
      const asked = { prisma: database.prisma, region, asked: query.tenants };
      response.json(await readPage(await readableTenants(request, response, asked), query));
    };

  async function readPage(tenants: readonly TenantRow[], query: AuditQuery) {
    const names = new Map(tenants.map((tenant) => [tenant.id, tenantNameOf(tenant)]));
    const tenantIds = [...names.keys()];
    if (tenantIds.length === 0) return { data: [], total: 0 };
    const rows = await listAcross(sql, { ...query, tenantIds, count: query.count ?? pageLimits.default });
    const data = rows.map(({ tenantId, json }) =>
      auditView(parseJson(json) as Event, { tenantId: names.get(tenantId)!, vendorId: secretKey.environmentId }),
    );
    return { data, total: await countAcross(sql, { ...query, tenantIds }) };
  }

  router.get('/', list(pageLimits.v1));
  router.get('/resources/audits/v2', list(pageLimits.v2));

  router.get('/stats', async (request, response) => {
    requireScope(response, 'events:read');
    const tenant = await tenancy(request, response).tenantIfKnown();
    const since = startOfDayAndWeek(deps.clock?.() ?? Date.now());
    response.json(tenant ? await countRecent(sql, tenant.id, since) : { totalToday: 0, severeThisWeek: 0 });
  });

  router.use(createAuditRoute(deps, access));
  router.use(exportAuditRoutes(deps));
  router.use(auditFigureRoutes(deps));
  return router;
}

/** When this day and this week began, in UTC; weeks begin on Monday (ISO 8601). */
function startOfDayAndWeek(now: number): { today: number; week: number } {
  const today = now - (now % dayMs);
  const daysSinceMonday = (new Date(now).getUTCDay() + 6) % 7;
  return { today, week: today - daysSinceMonday * dayMs };
}

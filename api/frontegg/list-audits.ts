import type { RequestHandler } from 'express';
import type { Event } from '../../core/events/events.ts';
import { type AuditQuery, readAuditQuery } from '../../core/frontegg/audit-query.ts';
import { auditView } from '../../core/frontegg/audit-view.ts';
import { parseJson } from '../../core/json/json.ts';
import { countAcross, listAcross } from '../../prisma/events/list-across-tenants.ts';
import type { TenantRow } from '../../prisma/tenants.ts';
import { reply } from '../openapi/described.ts';
import { auditExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { anyName, auditFilters, fronteggCall } from './described.ts';
import { readableTenants, tenantNameOf } from './readable-tenants.ts';

/** Audits that one page of a list has when the client does not say, and at most; the older list has always given more. */
const pageLimits = { default: 200, v2: 200, v1: 1_000 };

/** The two lists: that of the portal, and the older one. */
export const listAuditRoutes: readonly Route<AuditDeps>[] = [
  list({ id: 'listAuditsV1', path: '/audits', summary: 'List audits (the older list)', most: pageLimits.v1 }),
  list({ id: 'listAudits', path: '/audits/resources/audits/v2', summary: 'List audits', most: pageLimits.v2 }),
];

function list({ most, ...described }: { id: string; path: string; summary: string; most: number }): Route<AuditDeps> {
  return {
    ...described,
    method: 'get',
    description: `Newest first. A management key that names no tenant reads all of them. ${anyName}`,
    by: 'events:read',
    parameters: auditFilters,
    replies: { 200: reply('One page', { schema: 'AuditPage', example: { data: [auditExample], total: 1 } }) },
    ...fronteggCall,
    handle: (deps) => getAudits(deps, most),
  };
}

function getAudits({ database, config, secretKey, reading }: AuditDeps, mostCount: number): RequestHandler {
  return async (request, response) => {
    const query = readAuditQuery(request.query, mostCount);
    const region = config.LOGFERRY_REGION;
    const asked = { prisma: database.prisma, region, asked: query.tenants };
    response.json(await readPage(await readableTenants(request, response, asked), query));
  };

  async function readPage(tenants: readonly TenantRow[], query: AuditQuery) {
    const names = new Map(tenants.map((tenant) => [tenant.id, tenantNameOf(tenant)]));
    const tenantIds = [...names.keys()];
    if (tenantIds.length === 0) return { data: [], total: 0 };
    const asked = { ...query, tenantIds, count: query.count ?? pageLimits.default };
    const [rows, total] = await reading(tenantIds[0]!, query.filter, async (sql) => [
      await listAcross(sql, asked),
      await countAcross(sql, asked),
    ]);
    const data = rows.map(({ tenantId, json }) =>
      auditView(parseJson(json) as Event, { tenantId: names.get(tenantId)!, vendorId: secretKey.environmentId }),
    );
    return { data, total };
  }
}

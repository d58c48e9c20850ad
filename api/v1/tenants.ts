import { Router } from 'express';
import type { Config } from '../../core/config.ts';
import { invalid } from '../../core/errors.ts';
import { unknownName } from '../../core/nearest-name.ts';
import { regionsOf } from '../../core/regions.ts';
import { newTenantSchema, tenantChangesSchema } from '../../core/tenants.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Database } from '../../prisma/client.ts';
import { createTenant, getTenant, listTenants, type TenantRow, updateTenant } from '../../prisma/tenants.ts';
import { managementRoute } from '../access/tenant-route.ts';
import { jsonBody, parse } from '../http/body.ts';
import { pageOf, readIdPage, refuseUnknownQuery } from '../http/paging.ts';
import type { TenantReply } from '../openapi/schemas/account.ts';

export type TenantRoutesDeps = {
  config: Config;
  database: Database;
  /** Called after a tenant was changed, so that what is kept of it is read anew. */
  forget(): void;
};

/** /tenants, for management keys alone. They answer in any region: a tenant's record may stand in several. */
export function tenantRoutes({ config, database: { prisma }, forget }: TenantRoutesDeps): Router {
  const router = Router();

  router.post('/tenants', managementRoute, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const { name, plan, region, external_id } = parse(newTenantSchema, request.body);
    refuseUnknownRegion(config, region);
    const tenant = await createTenant(prisma, {
      name,
      plan: plan ?? config.LOGFERRY_DEFAULT_PLAN,
      region: region ?? config.LOGFERRY_REGION,
      externalId: external_id ?? null,
    });
    response.status(201).location(`/v1/tenants/${tenant.id}`).json(presentTenant(tenant));
  });

  router.get('/tenants', managementRoute, async (request, response) => {
    const { limit, afterId } = readIdPage(request.query);
    const rows = await listTenants(prisma, limit + 1, afterId);
    const { data, meta } = pageOf(rows, limit, ({ id }) => ({ id }));
    response.json({ data: data.map(presentTenant), meta });
  });

  router.get('/tenants/:id', managementRoute, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    response.json(presentTenant(await getTenant(prisma, String(request.params.id))));
  });

  router.patch('/tenants/:id', managementRoute, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const { id } = await getTenant(prisma, String(request.params.id));
    const tenant = await updateTenant(prisma, id, parse(tenantChangesSchema, request.body));
    forget();
    response.json(presentTenant(tenant));
  });

  return router;
}

function refuseUnknownRegion(config: Config, region: string | undefined): void {
  const known = Object.keys(regionsOf(config));
  if (region === undefined || known.includes(region)) return;
  throw invalid([{ path: 'region', message: unknownName('region', region, known) }]);
}

/** A tenant as the API shows it. */
const presentTenant = (tenant: TenantRow): TenantReply => ({
  id: tenant.id,
  name: tenant.name,
  plan: tenant.plan,
  region: tenant.region,
  external_id: tenant.externalId,
  created_at: formatTimestamp(tenant.createdAt),
});

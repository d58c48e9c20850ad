import type { RequestHandler } from 'express';
import type { Config } from '../../core/config.ts';
import { invalid } from '../../core/errors.ts';
import { unknownName } from '../../core/nearest-name.ts';
import { regionsOf } from '../../core/regions.ts';
import { newTenantSchema, tenantChangesSchema } from '../../core/tenants.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Database } from '../../prisma/client.ts';
import { beginDeletion } from '../../prisma/removal/begin-deletion.ts';
import { createTenant, getTenant, listTenants, type TenantRow, updateTenant } from '../../prisma/tenants.ts';
import { auditContext } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { idPageOf, readIdPage } from '../http/paging.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import { pageExample, tenantExample } from '../openapi/examples.ts';
import { idOf, paging } from '../openapi/parameters.ts';
import type { TenantReply } from '../openapi/schemas/account.ts';
import type { Route } from '../route.ts';

type Deps = {
  config: Config;
  database: Database;
  /** Called after a tenant was changed, so that what is kept of it is read anew. */
  forget(): void;
};

const id = { ...idOf('tenant'), description: 'Of the tenant, or its external_id' };
const oneTenant = reply('The tenant', { schema: 'Tenant', example: tenantExample });

/** /v1/tenants, for management keys alone. They answer in any region: a tenant's record may stand in several. */
export const tenantRoutes: readonly Route<Deps>[] = [
  {
    id: 'createTenant',
    method: 'post',
    path: '/v1/tenants',
    summary: 'Make a tenant',
    by: 'management',
    body: jsonContent('NewTenant', { tenant: { name: 'Acme', plan: 'pro', external_id: 'acme' } }),
    replies: { 201: reply('The tenant', { schema: 'Tenant', example: tenantExample, headers: ['Location'] }) },
    errors: ['conflict'],
    handle: postTenant,
  },
  {
    id: 'listTenants',
    method: 'get',
    path: '/v1/tenants',
    summary: 'List tenants',
    by: 'management',
    parameters: paging,
    replies: { 200: reply('One page', { schema: 'TenantPage', example: pageExample(tenantExample) }) },
    handle: getTenants,
  },
  {
    id: 'getTenant',
    method: 'get',
    path: '/v1/tenants/:id',
    summary: 'Read one tenant',
    by: 'management',
    parameters: [id],
    replies: { 200: oneTenant },
    handle: getOne,
  },
  {
    id: 'changeTenant',
    method: 'patch',
    path: '/v1/tenants/:id',
    summary: 'Change a tenant',
    description: 'What is left out stays.',
    by: 'management',
    parameters: [id],
    body: jsonContent('TenantChanges', { plan: { plan: 'enterprise' } }),
    replies: { 200: oneTenant },
    errors: ['conflict'],
    handle: patchTenant,
  },
  {
    id: 'deleteTenant',
    method: 'delete',
    path: '/v1/tenants/:id',
    summary: 'Delete a tenant and all that is stored of it',
    description:
      'Its keys and tokens are refused within 5 seconds. Files, webhooks and events go in the background; meanwhile the tenant is shown as `deleting`, afterwards it is a 404 and its `external_id` is free. A 409 while it is on legal hold.',
    by: 'management',
    parameters: [id],
    replies: {
      202: reply('It is being deleted', { schema: 'Tenant', example: { ...tenantExample, status: 'deleting' } }),
    },
    errors: ['conflict'],
    handle: deleteOne,
  },
];

function postTenant({ config, database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const asked = parse(newTenantSchema, request.body);
    const { name, plan, region, external_id, csv_formulas, retention_days, legal_hold } = asked;
    refuseUnknownRegion(config, region);
    const here = config.LOGFERRY_REGION;
    const wanted = {
      name,
      plan: plan ?? config.LOGFERRY_DEFAULT_PLAN,
      region: region ?? here,
      externalId: external_id ?? null,
      csvFormulas: csv_formulas ?? 'keep',
      retentionDays: retention_days,
      legalHold: legal_hold,
    };
    const by = auditContext(request, response);
    const tenant = await createTenant(prisma, wanted, { by, toManagement: wanted.region !== here });
    response.status(201).location(`/v1/tenants/${tenant.id}`).json(presentTenant(tenant));
  };
}

function getTenants({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const { data, meta } = idPageOf(await listTenants(prisma, page), page);
    response.json({ data: data.map(presentTenant), meta });
  };
}

function getOne({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    response.json(presentTenant(await getTenant(prisma, String(request.params.id))));
  };
}

function patchTenant({ config, database: { prisma }, forget }: Deps): RequestHandler {
  return async (request, response) => {
    const { id, region } = await getTenant(prisma, String(request.params.id));
    const tenant = await updateTenant(prisma, id, parse(tenantChangesSchema, request.body), {
      by: auditContext(request, response),
      toManagement: region !== config.LOGFERRY_REGION,
    });
    forget();
    response.json(presentTenant(tenant));
  };
}

function deleteOne({ database: { prisma }, forget }: Deps): RequestHandler {
  return async (request, response) => {
    const { id } = await getTenant(prisma, String(request.params.id));
    const tenant = await beginDeletion(prisma, id, auditContext(request, response));
    forget();
    response.status(202).json(presentTenant(tenant));
  };
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
  csv_formulas: tenant.csvFormulas,
  status: tenant.status,
  retention_days: tenant.retentionDays,
  legal_hold: tenant.legalHold,
  created_at: formatTimestamp(tenant.createdAt),
});

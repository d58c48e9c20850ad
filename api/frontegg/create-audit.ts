import type { Request, RequestHandler, Response } from 'express';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import type { Event } from '../../core/events/events.ts';
import { auditView } from '../../core/frontegg/audit-view.ts';
import { readAudit } from '../../core/frontegg/new-audit.ts';
import { parseJson } from '../../core/json/json.ts';
import { newTenantSchema } from '../../core/tenants.ts';
import type { AuditContext } from '../../prisma/exports/audit-context.ts';
import { createTenant, getTenant, refuseDeleting, type TenantRow } from '../../prisma/tenants.ts';
import { isNameOf, requireHere } from '../access/tenancy.ts';
import { auditContext, tenancy } from '../access/tenant-route.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import { auditExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { fronteggCall } from './described.ts';
import { tenantNameOf } from './readable-tenants.ts';

type Deps = AuditDeps & {
  /** Called after a tenant was made, so that what is kept of it is read anew. */
  forget(): void;
};

/** Writes one audit, and answers 202 with it as it will be read, as clients expect. */
export const createAudit: Route<Deps> = {
  id: 'createAudit',
  method: 'post',
  path: '/audits',
  summary: 'Write one audit',
  description: 'Further keys are kept. A management key makes the tenant that it writes for, if it is not there yet.',
  by: 'events:write',
  body: jsonContent('NewAudit', { audit: { action: 'user.login', severity: 'Medium', email: 'ana@example.com' } }),
  replies: { 202: reply('The audit as it will be read', { schema: 'Audit', example: auditExample }) },
  ...fronteggCall,
  handle: postAudit,
};

function postAudit(deps: Deps): RequestHandler {
  return async (request, response) => {
    const audit = readAudit(request.body);
    const tenant = await tenantToWrite(request, response, deps);
    refuseOtherTenant(tenant, request.body);
    const [json] = await deps.append(tenant.id, [audit]);
    const constants = { tenantId: tenantNameOf(tenant), vendorId: deps.secretKey.environmentId };
    response.status(202).json(auditView(parseJson(json!) as Event, constants));
  };
}

/** The management makes a tenant by writing for it: in Frontegg, tenants are known before they have any audit. */
async function tenantToWrite(request: Request, response: Response, deps: Deps): Promise<TenantRow> {
  const about = tenancy(request, response);
  const { isNamed, name, tenant } = await about.subject();
  if (tenant) return tenant;
  // It says which header is missing, or that a user's tenant is not known.
  if (!isNamed || name === undefined) return about.tenant();
  const made = await makeTenant(deps, name, auditContext(request, response));
  deps.forget();
  requireHere(response, made);
  // Another process may know more than what this one keeps of it.
  refuseDeleting(made);
  return made;
}

async function makeTenant({ config, database }: AuditDeps, externalId: string, by: AuditContext): Promise<TenantRow> {
  const read = newTenantSchema.safeParse({ name: externalId, external_id: externalId });
  if (!read.success) {
    const [{ message } = { message: 'is no id' }] = read.error.issues;
    throw invalid([{ path: 'frontegg-tenant-id', message }]);
  }
  try {
    const { LOGFERRY_DEFAULT_PLAN: plan, LOGFERRY_REGION: region } = config;
    // Told to the management alone: clients count what they have written, and find no more in a list of their tenant.
    const recording = { by, toManagement: true };
    return await createTenant(database.prisma, { name: externalId, plan, region, externalId }, recording);
  } catch (error) {
    // Somebody else has just made it.
    if (error instanceof AppError && error.type === 'conflict') return getTenant(database.prisma, externalId);
    throw error;
  }
}

/** An audit that says it is of another tenant than the one it would be stored for is a mistake, or an attempt. */
function refuseOtherTenant(tenant: TenantRow, body: { tenantId?: unknown }): void {
  const { tenantId } = body;
  if (tenantId == null || tenantId === '') return;
  if (!isNameOf(tenant, String(tenantId))) throw notFound('tenant');
}

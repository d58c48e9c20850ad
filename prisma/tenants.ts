import { AppError, notFound } from '../core/errors.ts';
import type { CsvFormulas } from '../core/exports/exports.ts';
import type { IdPage } from '../core/id-page.ts';
import { isUuid, newId } from '../core/ids.ts';
import { findUnstorableText } from '../core/json/json.ts';
import type { Plan, TenantChanges } from '../core/tenants.ts';
import { type Prisma, prismaSql } from './client.ts';
import { managementLogId, recorded } from './control-log.ts';
import type { AuditContext } from './exports/audit.ts';
import type { Tenant } from './generated/client.ts';
import { keepUnremoved } from './removal/expiry.ts';

export { TenantStatus } from './generated/enums.ts';
export type TenantRow = Tenant;

/** What a tenant is made with. */
export type NewTenant = {
  name: string;
  plan: Plan;
  region: string;
  externalId: string | null;
  csvFormulas?: CsvFormulas;
  retentionDays?: number | null;
  legalHold?: boolean;
};

/**
 * Makes a tenant, and with it the head of its chain: no event yet, and 32 zero bytes as the hash before the first.
 * @throws AppError conflict when `externalId` names a tenant already
 */
export async function createTenant(
  prisma: Prisma,
  tenant: NewTenant,
  { by, toManagement = false }: Recording = {},
): Promise<TenantRow> {
  if (tenant.externalId !== null) await refuseTakenId(prisma, tenant.externalId);
  const chainHead = { create: { sequenceNumber: 0, hash: new Uint8Array(32) } };
  const id = newId();
  const create = recorded(prisma, { log: toManagement ? managementLogId : id, by }, async (tx, record) => {
    record({ action: 'logferry.tenant.created', target: { type: 'tenant', id }, metadata: told(tenant) });
    return tx.tenant.create({ data: { id, ...tenant, createdAt: new Date(), chainHead } });
  });
  return await namingConflict(create, tenant.externalId);
}

/** Who does it, for the log of the tenant; or for that of the management, where the tenant's is not here or is to hold nothing else. */
type Recording = { by?: AuditContext; toManagement?: boolean };

const told = ({ name, plan, externalId, csvFormulas, retentionDays, legalHold }: Partial<NewTenant>) => ({
  ...(name !== undefined && { name }),
  ...(plan !== undefined && { plan }),
  ...(externalId !== undefined && { external_id: externalId }),
  ...(csvFormulas !== undefined && { csv_formulas: csvFormulas }),
  ...(retentionDays !== undefined && { retention_days: retentionDays }),
  ...(legalHold !== undefined && { legal_hold: legalHold }),
});

/**
 * Changes what is given and leaves the rest.
 * @throws AppError not_found, or conflict when `external_id` names another tenant, or this one is being deleted
 */
export async function updateTenant(
  prisma: Prisma,
  tenantId: string,
  asked: TenantChanges,
  { by, toManagement = false }: Recording = {},
): Promise<TenantRow> {
  const { name, plan, external_id: externalId, csv_formulas: csvFormulas } = asked;
  const { retention_days: retentionDays, legal_hold: legalHold } = asked;
  if (externalId) await refuseTakenId(prisma, externalId);
  // Prisma leaves alone what is undefined.
  const data = { name, plan, externalId, csvFormulas, retentionDays, legalHold };
  const update = recorded(prisma, { log: toManagement ? managementLogId : tenantId, by }, async (tx, record) => {
    const [updated] = await tx.tenant.updateManyAndReturn({ where: { AND: [listed, { id: tenantId }] }, data });
    if (!updated) throw notFound('tenant');
    refuseDeleting(updated);
    if (legalHold) await keepUnremoved(prismaSql(tx), tenantId);
    record({ action: 'logferry.tenant.changed', target: { type: 'tenant', id: tenantId }, metadata: told(data) });
    return updated;
  });
  return await namingConflict(update, externalId ?? null);
}

/** The tenant of this id, or else of this external id. */
export async function findTenant(prisma: Prisma, idOrExternalId: string): Promise<TenantRow | undefined> {
  if (isUuid(idOrExternalId) && idOrExternalId !== managementLogId) {
    const tenant = await prisma.tenant.findUnique({ where: { id: idOrExternalId.toLowerCase() } });
    if (tenant) return tenant;
  }
  if (findUnstorableText(idOrExternalId, '')) return undefined;
  return (await prisma.tenant.findUnique({ where: { externalId: idOrExternalId } })) ?? undefined;
}

/** The tenant of this id, or else of this external id. @throws AppError not_found */
export async function getTenant(prisma: Prisma, idOrExternalId: string): Promise<TenantRow> {
  const tenant = await findTenant(prisma, idOrExternalId);
  if (!tenant) throw notFound('tenant');
  return tenant;
}

/** @throws AppError conflict for a tenant that is being deleted: nothing is done for it any more */
export function refuseDeleting({ status }: Pick<TenantRow, 'status'>): void {
  if (status !== 'deleting') return;
  throw new AppError('conflict', 'The tenant is being deleted. Its ids can be used again once it answers 404.');
}

/** All but the one that stands for the management. */
const listed = { id: { not: managementLogId } };

/** Newest first; one more than `limit`, if there is one. */
export async function listTenants(prisma: Prisma, { limit, afterId }: IdPage): Promise<TenantRow[]> {
  return await prisma.tenant.findMany({
    where: afterId ? { AND: [listed, { id: { lt: afterId } }] } : listed,
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
}

/** Ids of tenants in their order, those after `after`, but for those that are being deleted. */
export async function listTenantIds(
  prisma: Prisma,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<string[]> {
  const where = { AND: [listed, { status: 'active' as const }, after === undefined ? {} : { id: { gt: after } }] };
  const rows = await prisma.tenant.findMany({ where, select: { id: true }, orderBy: { id: 'asc' }, take: limit });
  return rows.map(({ id }) => id);
}

/** All tenants that live in the region, but for those that are being deleted. */
export const listTenantsOf = (prisma: Prisma, region: string): Promise<TenantRow[]> =>
  prisma.tenant.findMany({ where: { region, status: 'active' }, orderBy: { id: 'asc' } });

/** An id wins over an external id, so an external id that is some tenant's id would never be reached. */
async function refuseTakenId(prisma: Prisma, externalId: string): Promise<void> {
  if (isUuid(externalId) && (await prisma.tenant.count({ where: { id: externalId.toLowerCase() } })) > 0) {
    throw taken(externalId);
  }
}

async function namingConflict<T>(writing: Promise<T>, externalId: string | null): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    // P2002: a unique constraint; besides the id, which is new, external_id is the only one.
    if ((error as { code?: string }).code === 'P2002') throw taken(externalId ?? '', error);
    throw error;
  }
}

const taken = (externalId: string, cause?: unknown): AppError =>
  new AppError('conflict', `There is a tenant with the external_id "${externalId}" already.`, { cause });

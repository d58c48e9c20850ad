import { AppError, notFound } from '../../core/errors.ts';
import { formatTimestamp } from '../../core/times.ts';
import { type Prisma, type PrismaTransaction, prismaSql } from '../client.ts';
import { managementLogId, recorded } from '../control-log.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import type { TenantRow } from '../tenants.ts';

/** What is kept of a tenant that is being deleted, until the management's log is told that it is gone. */
export type Deletion = {
  by: AuditContext;
  requested_at: string;
  /** Events that its log had, and the number of the last one. */
  events: number;
  last_sequence: number;
};

/**
 * Begins the end of a tenant. Its chain's head goes at once, so that by no way anything is appended any more: every write
 * locks it, and finds no such tenant. All else goes later, in batches (worker/sweep/delete-tenants.ts). Quiet for one that is
 * being deleted already.
 * @throws AppError not_found; conflict for one on legal hold
 */
export function beginDeletion(prisma: Prisma, tenantId: string, by: AuditContext): Promise<TenantRow> {
  return recorded(prisma, { log: managementLogId, by }, async (tx, record) => {
    const tenant = await lockTenant(tx, tenantId);
    if (tenant.status === 'deleting') return tenant;
    if (tenant.legalHold) {
      const message = 'The tenant is on legal hold. End the hold first: PATCH /v1/tenants/:id {"legal_hold": false}.';
      throw new AppError('conflict', message);
    }
    const deletion = { by, requested_at: formatTimestamp(new Date()), ...(await endChain(tx, tenantId)) };
    record({
      action: 'logferry.tenant.deletion_requested',
      target: { type: 'tenant', id: tenantId },
      metadata: { name: tenant.name, external_id: tenant.externalId, events: deletion.events },
    });
    return tx.tenant.update({ where: { id: tenantId }, data: { status: 'deleting', deletion } });
  });
}

/** Not `for update`: a writer who holds the chain may be about to refer to the tenant, and we wait for its chain. */
async function lockTenant(tx: PrismaTransaction, id: string): Promise<TenantRow> {
  await tx.$queryRaw`select from tenants where id = ${id}::uuid for no key update`;
  const tenant = await tx.tenant.findUnique({ where: { id } });
  if (!tenant || id === managementLogId) throw notFound('tenant');
  return tenant;
}

async function endChain(tx: PrismaTransaction, tenantId: string): Promise<Pick<Deletion, 'events' | 'last_sequence'>> {
  const [head] = await prismaSql(tx)<{ last: unknown; events: unknown }>(
    `delete from chain_heads where tenant_id = $1::uuid
     returning sequence_number as last, sequence_number - expired_through as events`,
    [tenantId],
  );
  return { events: Number(head?.events ?? 0), last_sequence: Number(head?.last ?? 0) };
}

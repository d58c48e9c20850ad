import type { Usage } from '../core/exports/plan-limits.ts';
import { type PrismaTransaction, prismaSql, type Sql } from './client.ts';

const holdings = `
  select
    (select count(*) from api_keys where tenant_id = $1::uuid and revoked_at is null
       and coalesce(expires_at > now(), true)) as api_keys,
    (select count(*) from webhooks where tenant_id = $1::uuid and export_id is null and deleted_at is null) as webhooks`;

/** How many keys and webhooks a tenant has: those that work, and those that are told of every export. */
export async function countHoldings(
  sql: Sql,
  tenantId: string,
): Promise<Required<Pick<Usage, 'api_keys' | 'webhooks'>>> {
  const [row] = await sql<{ api_keys: unknown; webhooks: unknown }>(holdings, [tenantId]);
  return { api_keys: Number(row!.api_keys), webhooks: Number(row!.webhooks) };
}

/** As countHoldings(), and nobody adds one before the transaction ends, so that no two both take the last that is left. */
export async function countHoldingsLocked(tx: PrismaTransaction, tenantId: string) {
  await tx.$queryRaw`select from tenants where id = ${tenantId}::uuid for no key update`;
  return countHoldings(prismaSql(tx), tenantId);
}

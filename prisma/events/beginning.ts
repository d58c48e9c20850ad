import { notFound } from '../../core/errors.ts';
import type { Sql } from '../client.ts';

/**
 * The number after which a tenant's log begins: of the last event that has lived its time, 0 before there is one.
 * @throws AppError not_found for a tenant that does not exist
 */
export async function logBeginning(sql: Sql, tenantId: string): Promise<number> {
  const [head] = await sql<{ expired_through: unknown }>(
    'select expired_through from chain_heads where tenant_id = $1::uuid',
    [tenantId],
  );
  if (!head) throw notFound('tenant');
  return Number(head.expired_through);
}

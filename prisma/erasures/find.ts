import { notFound } from '../../core/errors.ts';
import type { IdPage } from '../../core/id-page.ts';
import { parseJson } from '../../core/json/json.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Prisma } from '../client.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import type { Erasure } from '../generated/client.ts';
import { ErasureStatus } from '../generated/enums.ts';

export { ErasureStatus };
export type ErasureRow = Erasure;

export const hasEnded = ({ status }: Pick<ErasureRow, 'status'>): boolean =>
  status === 'completed' || status === 'failed';

/** An erasure as the API and the webhooks show it. */
export function erasureView(row: ErasureRow) {
  const counted = hasEnded(row);
  const { type, id, name, email = null } = (row.createdBy as AuditContext).actor;
  return {
    id: row.id as string | null,
    object: 'erasure' as const,
    status: row.status,
    filter: parseJson(row.filter) as Record<string, unknown>,
    compartments: row.compartments,
    reason: row.reason,
    matched: counted ? Number(row.matched) : null,
    erased: counted ? Number(row.erased) : null,
    exports: counted ? row.exports : null,
    created_by: { type, id, name, email },
    created_at: formatTimestamp(row.createdAt),
    completed_at: row.completedAt && formatTimestamp(row.completedAt),
    error: row.error as { code: string; message: string; retryable: boolean } | null,
  };
}
export type ErasureView = ReturnType<typeof erasureView>;

/** @throws AppError not_found for a missing erasure and another tenant's alike. The id must be a UUID. */
export async function getErasure(prisma: Prisma, tenantId: string, id: string): Promise<ErasureRow> {
  const row = await prisma.erasure.findFirst({ where: { tenantId, id } });
  if (!row) throw notFound('erasure');
  return row;
}

/** Newest first; one more than `limit`, if there is one. */
export const listErasures = (prisma: Prisma, tenantId: string, { limit, afterId }: IdPage): Promise<ErasureRow[]> =>
  prisma.erasure.findMany({
    where: { tenantId, ...(afterId ? { id: { lt: afterId } } : {}) },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });

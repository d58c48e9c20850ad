import { AppError, notFound } from '../../core/errors.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import type { IdPage } from '../../core/id-page.ts';
import { isUuid } from '../../core/ids.ts';
import type { Prisma } from '../client.ts';
import { ExportStatus } from '../generated/enums.ts';
import type { ExportRow } from './view.ts';

export type { ExportStatus };
/** Every status that an export can have (schema.prisma). */
export const exportStatuses: readonly ExportStatus[] = Object.values(ExportStatus);
export const finalStatuses = ['completed', 'failed', 'canceled', 'expired'] as const;
export const isFinal = (status: ExportRow['status']): boolean => finalStatuses.some((final) => final === status);

/** @throws AppError not_found for a missing export and another tenant's alike */
export async function getExport(prisma: Prisma, tenantId: string, id: string): Promise<ExportRow> {
  const row = isUuid(id) ? await prisma.export.findFirst({ where: { tenantId, id } }) : null;
  if (!row) throw notFound('export');
  return row;
}

/** The tenant's last sequence number: the bound of an export made now. */
export async function getHeadSequence(prisma: Prisma, tenantId: string): Promise<number> {
  const head = await prisma.chainHead.findUniqueOrThrow({ where: { tenantId } });
  return Number(head.sequenceNumber);
}

/**
 * The tenant's last sequence number, as getHeadSequence().
 * @throws AppError conflict for a filter that begins behind it: the client has seen events which are not there any more
 */
export async function boundOf(
  prisma: Prisma,
  tenantId: string,
  { after_sequence: after }: Pick<RowFilter, 'after_sequence'>,
): Promise<number> {
  const head = await getHeadSequence(prisma, tenantId);
  refuseAheadOf(head, after);
  return head;
}

/** @throws AppError conflict if `after` is beyond the last sequence number */
export function refuseAheadOf(head: number, after: number | undefined): void {
  if (after === undefined || after <= head) return;
  throw new AppError(
    'conflict',
    `The log ends at ${head}, before "after_sequence" (${after}): it is behind what you have seen, as after the restore of a backup. ` +
      'Ask the operator, and compare the last hash that you have kept.',
  );
}

/** Newest first; one more than `limit`, if there is one. */
export function listExports(
  prisma: Prisma,
  tenantId: string,
  { limit, afterId, status }: IdPage & { status: ExportRow['status'][] | undefined },
): Promise<ExportRow[]> {
  return prisma.export.findMany({
    where: {
      tenantId,
      ...(afterId ? { id: { lt: afterId } } : {}),
      ...(status ? { OR: status.map(shownAs) } : {}),
    },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
}

/** The rows that exportView() shows with this status: a file may have outlived its time before the sweep came. */
function shownAs(status: ExportRow['status']) {
  const now = new Date();
  if (status === 'completed') return { status, expiresAt: { gt: now } };
  if (status === 'expired') return { OR: [{ status }, { status: 'completed' as const, expiresAt: { lte: now } }] };
  return { status };
}

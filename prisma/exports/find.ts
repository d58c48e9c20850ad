import { AppError, notFound } from '../../core/errors.ts';
import type { RowFilter } from '../../core/events/field-criteria.ts';
import type { IdPage } from '../../core/id-page.ts';
import { isUuid } from '../../core/ids.ts';
import { pageBytes, requestLimitBytes } from '../../core/limits/pages.ts';
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

/**
 * The export as it is now, for who has it already: what was asked for never changes, may have a mebibyte, and is not read again.
 * @throws AppError not_found if it is gone
 */
export async function reloadExport(prisma: Prisma, { tenantId, id, request }: ExportRow): Promise<ExportRow> {
  const row = await prisma.export.findFirst({ where: { tenantId, id }, omit: { request: true } });
  if (!row) throw notFound('export');
  return { ...row, request };
}

/** The events of a log: those after the one number, up to the other. */
export type LogSpan = { expiredThrough: number; asOfSequence: number };

async function getSpan(prisma: Prisma, tenantId: string): Promise<LogSpan> {
  const head = await prisma.chainHead.findUnique({ where: { tenantId } });
  // Its tenant is being deleted.
  if (!head) throw notFound('tenant');
  return { expiredThrough: Number(head.expiredThrough), asOfSequence: Number(head.sequenceNumber) };
}

/**
 * The events that an export made now would be of.
 * @throws AppError conflict for a filter that begins behind it: the client has seen events which are not there any more
 */
export async function spanOf(
  prisma: Prisma,
  tenantId: string,
  { after_sequence: after }: Pick<RowFilter, 'after_sequence'>,
): Promise<LogSpan> {
  const span = await getSpan(prisma, tenantId);
  refuseAheadOf(span.asOfSequence, after);
  return span;
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

/** Exports that are read at a time: each may have a filter of almost a mebibyte. */
const readAtOnce = 10;

/** Bytes that a page of exports may have while it is read: the one that fills it comes with others. */
export const mostExportPageBytes = (limit: number): number =>
  Math.min(limit, readAtOnce) * requestLimitBytes + (limit > readAtOnce ? pageBytes : 0);

/**
 * A page of exports, newest first: `limit` of them, or fewer where they are large. `rows` has more than `fitting` if there is
 * a next page.
 */
export async function listExports(
  prisma: Prisma,
  tenantId: string,
  { limit, afterId, status }: IdPage & { status: ExportRow['status'][] | undefined },
): Promise<{ rows: ExportRow[]; fitting: number }> {
  const rows: ExportRow[] = [];
  for (;;) {
    const last = rows.at(-1)?.id ?? afterId;
    const take = Math.min(readAtOnce, limit + 1 - rows.length);
    const where = { tenantId, ...(last ? { id: { lt: last } } : {}), ...(status ? { OR: status.map(shownAs) } : {}) };
    const next = await prisma.export.findMany({ where, orderBy: { id: 'desc' }, take });
    rows.push(...next);
    const fitting = fittingOf(rows, limit);
    if (rows.length > fitting || next.length < take) return { rows, fitting };
  }
}

/** How many of these a page may have: up to `limit`, and to the first that fills it. */
function fittingOf(rows: readonly ExportRow[], limit: number): number {
  let bytes = 0;
  const full = rows.findIndex(({ request }) => {
    bytes += Buffer.byteLength(request);
    return bytes >= pageBytes;
  });
  return full < 0 ? limit : Math.min(limit, full + 1);
}

/** The rows that exportView() shows with this status: a file may have outlived its time before the sweep came. */
function shownAs(status: ExportRow['status']) {
  const now = new Date();
  if (status === 'completed') return { status, expiresAt: { gt: now } };
  if (status === 'expired') return { OR: [{ status }, { status: 'completed' as const, expiresAt: { lte: now } }] };
  return { status };
}

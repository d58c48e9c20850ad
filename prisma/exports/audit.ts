import { hash } from 'node:crypto';
import type { NewEvent } from '../../core/events/event-columns.ts';
import { systemEvent } from '../../core/events/new-event.ts';
import { type ExportContent, filterLimitBytes } from '../../core/exports/exports.ts';
import { canonicalJson } from '../../core/json/canonical-json.ts';
import { parseJson } from '../../core/json/json.ts';
import { type Prisma, type PrismaTransaction, prismaSql } from '../client.ts';
import { appendEvents, inChainOrder } from '../events/append.ts';
import type { AuditContext } from './audit-context.ts';
import { type ExportRow, requestOf } from './view.ts';

export type { AuditContext } from './audit-context.ts';

/** Writes a download into the tenant's audit log. */
export async function recordDownload(prisma: Prisma, row: ExportRow, by: AuditContext): Promise<void> {
  await inChainOrder(row.tenantId, () => prisma.$transaction((tx) => recordAudit(tx, row, 'downloaded', by)));
}

/** Writes what was done to an export into the tenant's audit log, in the transaction that does it. */
export async function recordAudit(
  tx: PrismaTransaction,
  row: ExportRow,
  verb: 'created' | 'downloaded' | 'canceled' | 'deleted',
  by: AuditContext,
): Promise<void> {
  await appendEvents(prismaSql(tx), row.tenantId, [auditEvent(row, verb, by)]);
}

/** A stream of events that has ended: `rows` were handed to the connection, all there were if it is `complete`. */
export type StreamRecord = {
  /** Of the event in the audit log, which so is written once, however often it is tried. */
  id: string;
  tenantId: string;
  content: ExportContent;
  asOfSequence: number;
  rows: number;
  neutralizedCells: number;
  complete: boolean;
  by: AuditContext;
};

/** Writes a stream of events into the tenant's audit log. */
export async function recordStream(prisma: Prisma, stream: StreamRecord): Promise<void> {
  const { id, tenantId, content, asOfSequence, rows, neutralizedCells, complete, by } = stream;
  const altered = content.csv.formulas === 'neutralize' && { neutralized_cells: neutralizedCells };
  const metadata = { ...described(content), as_of_sequence: asOfSequence, rows, ...altered, complete };
  const event = systemEvent({ id, action: 'logferry.events.streamed', ...by, metadata });
  await inChainOrder(tenantId, () => prisma.$transaction((tx) => appendEvents(prismaSql(tx), tenantId, [event])));
}

function auditEvent(
  row: ExportRow,
  verb: 'created' | 'downloaded' | 'canceled' | 'deleted',
  by: AuditContext,
): NewEvent {
  return systemEvent({
    action: `logferry.export.${verb}`,
    ...by,
    target: { type: 'export', id: row.id },
    metadata: { ...described(requestOf(row)), as_of_sequence: Number(row.asOfSequence) },
  });
}

/** What was asked for, in few words. */
const described = ({ format, compression, filter, properties, columns, asked }: Omit<ExportContent, 'csv'>) => ({
  format,
  compression,
  ...shortFilter(asked ?? filter),
  columns: (columns ?? properties).length,
});

/** Each download repeats it: a long filter stands there by its digest alone. */
function shortFilter(filter: object) {
  const canonical = canonicalJson(parseJson(JSON.stringify(filter)));
  const filter_sha256 = hash('sha256', canonical);
  return Buffer.byteLength(canonical) <= filterLimitBytes ? { filter, filter_sha256 } : { filter: null, filter_sha256 };
}

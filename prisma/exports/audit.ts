import type { NewEvent } from '../../core/events/event-columns.ts';
import { readNewEvent } from '../../core/events/new-event.ts';
import type { ExportContent } from '../../core/exports/exports.ts';
import { type Prisma, type PrismaTransaction, prismaSql } from '../client.ts';
import { appendEvents, inChainOrder } from '../events/append.ts';
import { type ExportRow, requestOf } from './view.ts';

/** Who did it and from where, for the tenant's audit log. */
export type AuditContext = {
  actor: { id: string | null; type: string; name: string | null; email?: string | null };
  context: { ip: string | null; user_agent: string | null };
};

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
  complete: boolean;
  by: AuditContext;
};

/** Writes a stream of events into the tenant's audit log. */
export async function recordStream(prisma: Prisma, stream: StreamRecord): Promise<void> {
  const { id, tenantId, content, asOfSequence, rows, complete, by } = stream;
  const metadata = { ...described(content), as_of_sequence: asOfSequence, rows, complete };
  const event = checked({ id, action: 'logferry.events.streamed', ...by, metadata });
  await inChainOrder(tenantId, () => prisma.$transaction((tx) => appendEvents(prismaSql(tx), tenantId, [event])));
}

function auditEvent(row: ExportRow, verb: string, by: AuditContext): NewEvent {
  return checked({
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
  filter: asked ?? filter,
  columns: (columns ?? properties).length,
});

function checked(event: object): NewEvent {
  const read = readNewEvent(event);
  if ('errors' in read) throw new Error(`The audit event is not valid: ${JSON.stringify(read.errors)}`);
  return read.event;
}

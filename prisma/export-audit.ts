import { type NewEvent, readNewEvent } from '../core/new-event.ts';
import { type Prisma, type PrismaTransaction, prismaSql } from './client.ts';
import { appendEvents, inChainTurn } from './events.ts';
import { type ExportRow, requestOf } from './export-view.ts';

/** Who did it and from where, for the tenant's audit log. */
export type AuditContext = {
  actor: { id: string | null; type: string; name: string | null; email?: string | null };
  context: { ip: string | null; user_agent: string | null };
};

/** Writes a download into the tenant's audit log. */
export async function recordDownload(prisma: Prisma, row: ExportRow, by: AuditContext): Promise<void> {
  await inChainTurn(row.tenantId, () => prisma.$transaction((tx) => recordAudit(tx, row, 'downloaded', by)));
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

function auditEvent(row: ExportRow, verb: string, by: AuditContext): NewEvent {
  const { format, compression, filter, properties } = requestOf(row);
  const read = readNewEvent({
    action: `logferry.export.${verb}`,
    actor: by.actor,
    context: by.context,
    target: { type: 'export', id: row.id },
    metadata: { format, compression, filter, columns: properties.length, as_of_sequence: Number(row.asOfSequence) },
  });
  if ('errors' in read) throw new Error(`The audit event is not valid: ${JSON.stringify(read.errors)}`);
  return read.event;
}

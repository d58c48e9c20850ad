import { systemEvent } from '../core/events/new-event.ts';
import { type Prisma, type PrismaTransaction, prismaSql } from './client.ts';
import { appendEvents, inChainOrder } from './events/append.ts';
import type { AuditContext } from './exports/audit.ts';

/**
 * The log of what concerns no tenant, such as a management key: a chain like any other, of a tenant that is in no list and
 * that nobody can name. The migration `budgets` makes it.
 */
export const managementLogId = '00000000-0000-7000-8000-000000000000';

/** What was done to a key, a webhook or a tenant; for the log of the tenant, or of the management. */
export type ControlRecord = {
  action: `logferry.${'key' | 'signing_key' | 'webhook' | 'tenant' | 'log' | 'sign_in' | 'export'}.${string}`;
  target?: { type: string; id: string };
  metadata?: Record<string, unknown>;
};

/**
 * Does something in one transaction with its record in the log, so that neither is there without the other.
 * @param log whose log: a tenant's id, or managementLogId
 * @param by who does it and from where; undefined for what leaves no record, such as what tests set up
 */
export function recorded<T>(
  prisma: Prisma,
  { log, by }: { log: string; by: AuditContext | undefined },
  work: (tx: PrismaTransaction, record: (what: ControlRecord) => void) => Promise<T>,
): Promise<T> {
  const run = async (tx: PrismaTransaction) => {
    const records: ControlRecord[] = [];
    const result = await work(tx, (what) => void records.push(what));
    const events = by ? records.map((what) => systemEvent({ ...what, ...by })) : [];
    await appendEvents(prismaSql(tx), log, events);
    return result;
  };
  return inChainOrder(log, () => prisma.$transaction(run));
}

/** Writes records that nothing else belongs to. */
export const recordAlone = (prisma: Prisma, log: string, by: AuditContext, what: ControlRecord): Promise<void> =>
  recorded(prisma, { log, by }, async (_tx, record) => record(what));

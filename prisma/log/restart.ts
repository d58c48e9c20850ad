import { logOrigin, readOrigin } from '../../core/evidence/checkpoint.ts';
import { recorded } from '../control-log.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import { LogContradictionError } from './contradictions.ts';
import type { LogDeps } from './examine-log.ts';
import { readKept } from './kept-checkpoint.ts';

/** Logs by their names. `previousOrigin` is null where no checkpoint was shown of the one before. */
export type RestartedLog = { origin: string; previousOrigin: string | null };

/**
 * Begins a new log of the tenant's events as they are now, under a new name: what was shown of the one before holds no more.
 * The new one says so in its events.
 * @throws AppError unavailable without the storage
 */
export async function restartLog(
  deps: Pick<LogDeps, 'config' | 'database' | 'store'>,
  tenantId: string,
  { reason, by }: { reason: string; by: AuditContext },
): Promise<RestartedLog> {
  const kept = await readKept(deps.store, tenantId).catch((error) => {
    // What cannot be read is among what is accepted here.
    if (error instanceof LogContradictionError) return undefined;
    throw error;
  });
  const before = kept && readOrigin(kept.origin, tenantId);
  return recorded(deps.database.prisma, { log: tenantId, by }, async (tx, record) => {
    const row = await tx.log.upsert({ where: { tenantId }, create: { tenantId }, update: {} });
    const number = Math.max(row.number, before?.number ?? 1) + 1;
    const base = (row.origin && readOrigin(row.origin, tenantId)?.base) ?? before?.base ?? deps.config.origin;
    const origin = logOrigin(base, tenantId, number);
    const shown = { shownSize: null, shownRoot: null, shownNote: null, shownKid: null, contradiction: null };
    await tx.log.update({ where: { tenantId, number: row.number }, data: { ...shown, number, origin } });
    const previousOrigin = row.origin ?? kept?.origin ?? null;
    const metadata = { reason, origin, previous_origin: previousOrigin };
    record({ action: 'logferry.log.restarted', target: { type: 'log', id: origin }, metadata });
    return { origin, previousOrigin };
  });
}

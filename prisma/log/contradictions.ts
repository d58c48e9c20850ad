import type pg from 'pg';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Database } from '../client.ts';

/** A log of which no checkpoint may be signed: it is not what an older one says. `reason` completes "the log". */
export class LogContradictionError extends AppError {
  readonly reason: string;

  constructor(reason: string) {
    const remedy = 'Restore the newest database, or begin a new log (POST /v1/tenants/:id/log/restart).';
    super('unavailable', `The log contradicts a checkpoint that was shown: ${reason}. ${remedy}`);
    this.reason = reason;
  }
}

type MarkDeps = { database: Pick<Database, 'pool'>; log: Log };

/**
 * Writes down that a log contradicts what was shown of it; into the log of the process once. The events of a tenant that is
 * being deleted are meant to go: of it this says nothing.
 */
export async function markContradiction(
  { database, log }: MarkDeps,
  tenantId: string,
  found: LogContradictionError,
): Promise<void> {
  const { rowCount } = await database.pool.query(
    `insert into logs (tenant_id, contradiction) select id, $2 from tenants where id = $1 and status = 'active'
     on conflict (tenant_id) do update set contradiction = excluded.contradiction
     where logs.contradiction is distinct from excluded.contradiction`,
    [tenantId, found.reason],
  );
  const about = { tenant_id: tenantId, err: found };
  if (rowCount !== 0) log.error(about, 'the log contradicts a checkpoint that was shown');
}

/** Takes back what markContradiction() has written down. */
export async function markAgreement({ database, log }: MarkDeps, tenantId: string): Promise<void> {
  const unmark = 'update logs set contradiction = null where tenant_id = $1 and contradiction is not null';
  const { rowCount } = await database.pool.query(unmark, [tenantId]);
  if (rowCount !== 0) log.info({ tenant_id: tenantId }, 'the log agrees with its checkpoints again');
}

/** What /readyz asks. */
export type LogsCheck = {
  /** @throws Error when a log contradicts what was shown of it */
  check(): Promise<void>;
};

export const logsCheck = (pool: pg.Pool): LogsCheck => ({
  async check() {
    const { rows } = await pool.query<{ tenant_id: string; contradiction: string }>(
      `select tenant_id, contradiction from logs join tenants t on t.id = tenant_id
       where contradiction is not null and t.status = 'active' limit 1`,
    );
    const [found] = rows;
    if (found) throw new Error(`The log of the tenant ${found.tenant_id} contradicts itself: ${found.contradiction}`);
  },
});

import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Log } from '../core/log.ts';
import { MigrationError, migrationState } from './migrate.ts';

/** Whether the tables are those that this version needs. */
export type SchemaCheck = {
  /** @throws MigrationError that names the migrations which are missing, or the one of a newer version */
  check(): Promise<void>;
  /**
   * Whether the process may work: once the schema was right, it may. A newer one makes it unready, and it still serves what
   * comes until it is replaced.
   */
  isUsable(): Promise<boolean>;
  /** Waits for `npm run migrate`, which may come after the start: so new processes stand ready before old ones end. */
  untilUsable(): Promise<void>;
};

const retryMs = 1_000;

export function schemaCheck(pool: pg.Pool, log: Log): SchemaCheck {
  let wasRight = false;
  const check = async () => {
    const { pending } = await migrationState(pool);
    if (pending.length > 0) {
      throw new MigrationError(`Migrations are not applied: ${pending.join(', ')}. Run "npm run migrate".`);
    }
    wasRight = true;
  };
  const isUsable = async () => {
    if (!wasRight) await check().catch(ignoreMismatch);
    return wasRight;
  };
  return {
    check,
    isUsable,
    async untilUsable() {
      let isFirst = true;
      while (!(await isUsable())) {
        if (isFirst) log.warn('waiting for the schema of this version: run "npm run migrate"');
        isFirst = false;
        await delay(retryMs);
      }
    },
  };
}

function ignoreMismatch(error: unknown): void {
  if (!(error instanceof MigrationError)) throw error;
}

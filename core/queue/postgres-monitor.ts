import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION, type PgPool } from 'bullmq';
import { within } from '../async/within.ts';
import type { Finding } from '../findings.ts';
import { QueueAwayError } from './queue.ts';

/** Below the 1.5 seconds that Queue.check has. */
const patienceMs = 1_400;
/**
 * Who holds a job is told by the clocks of the workers (locks of 10 seconds), so one that is far before the others takes
 * jobs away from workers that live. The server's clock stands for those of the others.
 */
const largestClockDifferenceMs = 3_000;
const slowMs = 50;
const about = 'queue';

/** @throws QueueAwayError while PostgreSQL does not answer, Error when it refuses us or its tables are not there */
export async function checkPostgres(pool: PgPool): Promise<void> {
  const version = await within(patienceMs, 'PostgreSQL', assertSchemaCompatibility(pool)).catch((error) => {
    throw explainPostgres(error);
  });
  if (version < LATEST_SCHEMA_VERSION) {
    throw new Error('The queue in PostgreSQL has tables of an older version. Run "npm run migrate".');
  }
}

/** As Queue.inspect. */
export async function inspectPostgres(pool: PgPool): Promise<Finding[]> {
  const unfit = await checkPostgres(pool).catch((error: Error) => error);
  if (unfit) return [failure(unfit)];
  try {
    return [...(await within(patienceMs, 'PostgreSQL', askServer(pool))), await tryNotifications(pool)];
  } catch (error) {
    return [failure(explainPostgres(error as Error))];
  }
}

const failure = ({ message }: Error): Finding => ({
  level: 'failure',
  about,
  text: message,
  remedy: 'Correct QUEUE_URL, or what it leads to',
});

/** Of passwords, rights and names of databases (classes 28, 3D, 42): waiting does not repair them. */
const isRefusal = (code: string | undefined): boolean => /^(28|3D|3F|42)/.test(code ?? '');

/** What is wrong, for people: a QueueAwayError where it passes. */
export function explainPostgres(cause: Error & { code?: string }): Error {
  if (cause.name === 'SchemaMigrationRequiredError') {
    return new Error('The queue in PostgreSQL has no tables yet. Run "npm run migrate".', { cause });
  }
  const isVersion = ['SchemaVersionMismatchError', 'UnsupportedPostgresVersionError'].includes(cause.name);
  if (isVersion) return new Error(cause.message, { cause });
  const what = cause.message || cause.code;
  if (isRefusal(cause.code))
    return new Error(`The PostgreSQL server of the queue rejects the connection: ${what}`, { cause });
  return new QueueAwayError(`The PostgreSQL server of the queue cannot be reached: ${what}`, { cause });
}

async function askServer(pool: PgPool): Promise<Finding[]> {
  const sentAt = Date.now();
  const begun = performance.now();
  const { rows } = await pool.query<{ version: string; now: string }>(
    `select current_setting('server_version') as version, extract(epoch from clock_timestamp()) * 1000 as now`,
  );
  const latencyMs = performance.now() - begun;
  const aheadMs = Number(rows[0]!.now) - (sentAt + latencyMs / 2);
  return [
    { level: 'ok', about, text: `PostgreSQL ${rows[0]!.version}, with the tables of this version` },
    clockFinding(aheadMs),
    latencyFinding(latencyMs),
  ];
}

function clockFinding(aheadMs: number): Finding {
  if (Math.abs(aheadMs) < largestClockDifferenceMs)
    return { level: 'ok', about, text: 'its clock agrees with that of this machine' };
  const seconds = Math.abs(Math.round(aheadMs / 1000));
  const text = `The clock of PostgreSQL is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of this machine`;
  return {
    level: 'warning',
    about,
    text,
    remedy: 'Synchronize all machines with a time server (NTP), or keep the queue in Redis',
  };
}

function latencyFinding(latencyMs: number): Finding {
  const text = `PostgreSQL answers the queue within ${latencyMs.toFixed(1)} ms`;
  if (latencyMs < slowMs) return { level: 'ok', about, text };
  return { level: 'warning', about, text, remedy: 'Run it nearer to the workers' };
}

/** A pooler that gives each transaction another session (PgBouncer, RDS Proxy) takes LISTEN and lets nothing through. */
async function tryNotifications(pool: PgPool): Promise<Finding> {
  const channel = `logferry_probe_${randomUUID().replaceAll('-', '')}`;
  const listener = await within(patienceMs, 'a connection', pool.connect());
  let works = true;
  try {
    const heard = once(listener as unknown as NodeJS.EventEmitter, 'notification');
    await within(patienceMs, 'LISTEN', listener.query(`listen ${channel}`));
    await within(patienceMs, 'NOTIFY', pool.query('select pg_notify($1, $2)', [channel, '']));
    await within(patienceMs, 'a notification', heard);
  } catch {
    works = false;
  } finally {
    // Not for anybody else: it listens.
    listener.release(true);
  }
  if (works) return { level: 'ok', about, text: 'its notifications arrive (LISTEN, NOTIFY)' };
  return {
    level: 'warning',
    about,
    text: 'Notifications of PostgreSQL do not arrive: exports and webhooks start up to 10 seconds late',
    remedy: 'Point QUEUE_URL past the pooler, or set the pooler to pool sessions',
  };
}

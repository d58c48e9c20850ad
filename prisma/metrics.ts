import type pg from 'pg';
import { within } from '../core/async/within.ts';
import { tileWidth } from '../core/evidence/tiles.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Database } from './client.ts';
import { storedBytesOf } from './exports/stored-bytes.ts';

/** Milliseconds that the database has for the figures of a scrape. Prometheus gives up after ten seconds by default. */
const timeoutMs = 2_000;
/** Milliseconds for which figures are given out again: several scrapers, or a person who reloads, cost one query. */
const maxAgeMs = 3_000;
/** Rows that are counted of each kind. More say nothing more, and the query stays short however many there are. */
const mostCounted = 100_000;

/** What is read from the rows of the whole deployment; times in seconds. */
export type Figures = {
  queued: number;
  running: number;
  silent: number;
  due: number;
  oldestDueSeconds: number;
  deliveriesPending: number;
  oldestDeliverySeconds: number;
  storedBytes: number;
  tenantsDeleting: number;
  retentionBehind: number;
  unsealedEvents: number;
  erasuresQueued: number;
  erasuresRunning: number;
};

/**
 * All figures in one query: of exports it touches the unfinished ones by their index, of which there are few, of deliveries the
 * pending ones. Ended rows, of which there may be millions, are never counted; the sum of stored bytes reads an index of the
 * files that there are. Of events, of which there may be billions, the heads of their chains say how many there are.
 */
export const figuresQuery = {
  text: `
    select ${storedBytesOf()} as "storedBytes", q.count as "queued", q.due, q.seconds as "oldestDueSeconds", r.count as "running", r.silent,
      d.count as "deliveriesPending",
      coalesce((select extract(epoch from now() - next_attempt_at) from deliveries
        where status = 'pending' and next_attempt_at <= now() order by next_attempt_at limit 1), 0) as "oldestDeliverySeconds",
      (select count(*) from tenants where status = 'deleting') as "tenantsDeleting",
      (select coalesce(sum(expired_through - removed_through), 0) from chain_heads
        where expired_through > removed_through) as "retentionBehind",
      coalesce((select sum(h.sequence_number - h.sequence_number % ${tileWidth} - coalesce(l.sealed_size, 0))
        from chain_heads h left join logs l using (tenant_id)), 0) as "unsealedEvents",
      (select count(*) from (select from erasures where status = 'queued' limit $1) queued) as "erasuresQueued",
      (select count(*) from erasures where status = 'running') as "erasuresRunning"
    from (
      select count(*), count(*) filter (where due_at <= now()) as due,
        greatest(0, coalesce(extract(epoch from now() - min(due_at)), 0)) as seconds
      from (select coalesce(retry_at, created_at) as due_at from exports where status = 'queued' limit $1) queued) q,
    (select count(*), count(*) filter (where lease_until < now()) as silent
      from (select lease_until from exports where status = 'running' limit $1) running) r,
    (select count(*) from (select from deliveries where status = 'pending' limit $1) pending) d`,
  values: [mostCounted],
  // A statement that is late takes its connection with it: nobody else is to wait behind it.
  query_timeout: timeoutMs,
};

/** Reads them. Fails when no answer comes within two seconds of a connection. */
export async function readFigures(client: pg.Pool | pg.Client): Promise<Figures> {
  const { rows } = await client.query<Record<keyof Figures, string>>(figuresQuery);
  const figures = Object.entries(rows[0]!).map(([name, value]) => [name, Number(value)]);
  return Object.fromEntries(figures) as Figures;
}

/**
 * Adds to each scrape what the database knows of the deployment, and how the pools of this process are used. A database that
 * does not answer within two seconds delays a scrape by so much, and leaves its figures out.
 */
export function meterDatabase(metrics: Metrics, { database, log }: { database: Database; log: Log }): void {
  const pools = { requests: database.pool, runs: database.runs, scans: database.scans };
  metrics.beforeScrape(() => {
    for (const [name, pool] of Object.entries(pools)) meterPool(metrics, name, pool);
  });
  const latest = latestFigures(database.pool);
  metrics.beforeScrape(async () => {
    // The query has its own limit, but it may have to wait for a connection before it begins.
    const figures = await within(timeoutMs, 'The query for metrics', latest()).catch((err) => {
      log.warn({ err }, 'metrics without the database');
    });
    setFigures(metrics, figures ?? undefined);
  });
}

/** Figures that are a few seconds old at most. Scrapes that come at once share one query, also one that hangs. */
function latestFigures(pool: pg.Pool): () => Promise<Figures> {
  let reading: { promise: Promise<Figures>; endedAt: number | undefined } | undefined;
  return () => {
    if (!reading || (reading.endedAt !== undefined && performance.now() - reading.endedAt > maxAgeMs)) {
      const begun: typeof reading = { promise: readFigures(pool), endedAt: undefined };
      reading = begun;
      begun.promise.then(
        () => {
          begun.endedAt = performance.now();
        },
        () => {
          begun.endedAt = Number.NEGATIVE_INFINITY;
        },
      );
    }
    return reading.promise;
  };
}

function setFigures(metrics: Metrics, figures: Figures | undefined): void {
  metrics.set('logferry_database_up', figures ? 1 : 0);
  if (!figures) {
    for (const name of fromRows) metrics.unset(name);
    return;
  }
  metrics.set('logferry_exports', figures.queued, { status: 'queued' });
  metrics.set('logferry_exports', figures.running, { status: 'running' });
  metrics.set('logferry_exports_silent', figures.silent);
  metrics.set('logferry_exports_due', figures.due);
  metrics.set('logferry_exports_oldest_due_seconds', figures.oldestDueSeconds);
  metrics.set('logferry_deliveries_pending', figures.deliveriesPending);
  metrics.set('logferry_deliveries_oldest_due_seconds', figures.oldestDeliverySeconds);
  metrics.set('logferry_stored_bytes', figures.storedBytes);
  metrics.set('logferry_tenants_deleting', figures.tenantsDeleting);
  metrics.set('logferry_retention_behind_events', figures.retentionBehind);
  metrics.set('logferry_log_sealed_behind_events', figures.unsealedEvents);
  metrics.set('logferry_erasures', figures.erasuresQueued, { status: 'queued' });
  metrics.set('logferry_erasures', figures.erasuresRunning, { status: 'running' });
}

const fromRows = [
  'logferry_exports',
  'logferry_exports_silent',
  'logferry_exports_due',
  'logferry_exports_oldest_due_seconds',
  'logferry_deliveries_pending',
  'logferry_deliveries_oldest_due_seconds',
  'logferry_stored_bytes',
  'logferry_tenants_deleting',
  'logferry_retention_behind_events',
  'logferry_log_sealed_behind_events',
  'logferry_erasures',
] as const;

function meterPool(metrics: Metrics, pool: string, { totalCount, idleCount, waitingCount, options }: pg.Pool): void {
  metrics.set('logferry_database_connections', totalCount - idleCount, { pool, state: 'busy' });
  metrics.set('logferry_database_connections', idleCount, { pool, state: 'idle' });
  metrics.set('logferry_database_connections_max', options.max, { pool });
  metrics.set('logferry_database_waiting', waitingCount, { pool });
}

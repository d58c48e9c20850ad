import type { Config } from '../core/config.ts';
import { storeLimitsOf } from '../core/exports/store-limits.ts';
import { openByteBudget } from '../core/limits/byte-budget.ts';
import { memoryLimitBytes } from '../core/limits/memory.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import { type Queue, queueNames } from '../core/queue/queue.ts';
import type { SecretKey } from '../core/secret-key.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import { webhookGuard } from '../core/webhooks/webhook-address.ts';
import type { Database } from '../prisma/client.ts';
import { reusedBuffers } from '../prisma/copy/buffers.ts';
import { exportScans } from '../prisma/copy/scan-shares.ts';
import { linkForExport } from '../prisma/exports/link.ts';
import { handleDelivery } from './deliver-webhook.ts';
import { HandBackError } from './hold-lease.ts';
import { erasureTurns } from './run-erasure.ts';
import { runExport } from './run-export.ts';
import { keepSweeping } from './sweep/keep-sweeping.ts';

export type WorkerDeps = {
  config: Config;
  database: Database;
  store: ObjectStore;
  queue: Queue;
  secretKey: SecretKey;
  log: Log;
  metrics: Metrics;
};

export type RunningWorker = {
  /** Milliseconds since its last sign of life, which comes every LOGFERRY_SWEEP_SECONDS when all is well. */
  silentMs(): number;
  /** Hands running exports back, lets deliveries end, and stops. */
  stop(): Promise<void>;
};

const bufferBytes = 1024 * 1024;
/** Buffers that are kept for the next rows: what a fast export has in use. Beyond them new ones are filled. */
const buffersKept = 16;

/** Receivers may take 15 seconds, a stopping process has 10: its deliveries get so long, and are made again elsewhere. */
const deliveryGraceMs = 4_000;

/** Runs exports and deliveries and sweeps, until stopped. */
export async function startWorker(deps: WorkerDeps): Promise<RunningWorker> {
  const { config, queue, database, store, log, metrics } = deps;
  const stopping = new AbortController();
  const cut = new AbortController();
  const run = {
    config,
    database,
    secretKey: deps.secretKey,
    store,
    queue,
    log,
    metrics,
    leaseSeconds: config.LOGFERRY_LEASE_SECONDS,
    scansFor: exportScans(database.scans, config),
    buffers: reusedBuffers(bufferBytes, buffersKept),
    readers: config.LOGFERRY_EXPORT_READERS,
    yieldAfterSeconds: config.LOGFERRY_YIELD_SECONDS,
    partsInFlight: config.LOGFERRY_PARTS_IN_FLIGHT,
    bytesInFlight: config.LOGFERRY_IN_FLIGHT_MIB * 1024 * 1024,
    exportTtlSeconds: config.EXPORT_TTL,
    storeLimits: storeLimitsOf(config),
  };
  const deliver = {
    prisma: database.prisma,
    queue,
    secretKey: deps.secretKey,
    log,
    metrics,
    memory: openByteBudget(memoryLimitBytes('deliveries'), metrics),
    signal: cut.signal,
    publicUrl: config.publicUrl,
    guard: webhookGuard({ allow: config.LOGFERRY_WEBHOOK_ALLOW }),
    linkFor: (exportId: string) =>
      linkForExport({ prisma: database.prisma, store, ttlSeconds: config.DOWNLOAD_URL_TTL }, exportId),
  };
  const takeErasureTurn = erasureTurns(run, stopping.signal);
  const answering = await Promise.all([
    queue.consume(queueNames.exports, config.LOGFERRY_EXPORT_CONCURRENCY, async () => {
      return (await takeErasureTurn()) ?? runExport(run, stopping.signal);
    }),
    queue.consume(queueNames.deliveries, config.LOGFERRY_DELIVERY_CONCURRENCY, async (id) => {
      await handleDelivery(deliver, id);
      return { outcome: 'done' };
    }),
  ]);
  const sweeping = keepSweeping(deps, config.LOGFERRY_SWEEP_SECONDS);
  return {
    silentMs: sweeping.silentMs,
    async stop() {
      stopping.abort(new HandBackError('the worker stops'));
      const timer = setTimeout(() => cut.abort(), deliveryGraceMs);
      await Promise.all([sweeping.stop(), ...answering.map((each) => each.stop())]);
      clearTimeout(timer);
    },
  };
}

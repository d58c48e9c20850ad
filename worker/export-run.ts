import type { Config } from '../core/config.ts';
import type { StoreLimits } from '../core/exports/store-limits.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import type { SecretKey } from '../core/secret-key.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import type { Database } from '../prisma/client.ts';
import type { BufferSource } from '../prisma/copy/buffers.ts';
import type { ScansFor } from '../prisma/copy/scan-shares.ts';
import type { Run } from '../prisma/exports/runs.ts';
import type { ExportRow } from '../prisma/exports/view.ts';
import type { Lease } from './hold-lease.ts';

/** What a run needs, and how much it may use. */
export type RunExportDeps = {
  config: Pick<Config, 'origin'>;
  database: Database;
  secretKey: SecretKey;
  /** Through what rows are read, for each export. */
  scansFor: ScansFor;
  /** Into what they are read, by all exports. */
  buffers: BufferSource;
  store: ObjectStore;
  queue: Queue;
  log: Log;
  metrics: Metrics;
  leaseSeconds: number;
  yieldAfterSeconds: number;
  readers: number;
  partsInFlight: number;
  bytesInFlight: number;
  exportTtlSeconds: number;
  storeLimits: StoreLimits;
};

/** One run of one export: the value that travels through the steps of the worker. */
export type ExportRun = {
  deps: RunExportDeps;
  /** The export as it was claimed. */
  row: ExportRow;
  run: Run;
  lease: Lease;
  /** Names the export, its tenant and the epoch in every line. */
  log: Log;
};

/** A run whose lease may be over: what is left is to say what became of it. */
export type EndedRun = Omit<ExportRun, 'lease'>;

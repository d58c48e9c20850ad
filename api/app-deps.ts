import type { Config } from '../core/config.ts';
import type { ReadinessCheck } from '../core/health.ts';
import type { ByteBudget } from '../core/limits/byte-budget.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import type { RedisCounter } from '../core/queue/redis-counter.ts';
import type { SecretKey } from '../core/secret-key.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import type { Database } from '../prisma/client.ts';
import type { StoreRoom } from '../prisma/exports/store-room.ts';
import type { SchemaCheck } from '../prisma/schema-check.ts';
import type { Refusals } from './access/refusals.ts';
import type { AppendEvents } from './ingest/append-events.ts';
import type { EventBatcher } from './ingest/event-batcher.ts';
import type { ServedFiles } from './served-files.ts';
import type { EventStreams } from './streams/event-streams.ts';

/** What the HTTP API is built from. */
export type AppDeps = {
  config: Config;
  database: Database;
  log: Log;
  metrics: Metrics;
  queue: Queue;
  store: ObjectStore;
  secretKey: SecretKey;
  /** What GET /readyz asks. */
  checks: readonly ReadinessCheck[];
  /** Whether the tables are those of this version: without them nothing but operations is served. */
  schema: Pick<SchemaCheck, 'check' | 'isUsable'>;
  /** Given by those who wait for them at the end. */
  streams?: EventStreams;
  refusals?: Refusals;
  servedFiles?: ServedFiles;
  storeRoom?: StoreRoom;
  /** The memory that requests may take; by default a share of V8's heap limit. */
  memory?: ByteBudget;
  /** Where all API processes count requests together; without it, each counts by itself. */
  counter?: RedisCounter;
  /** Milliseconds since 1970, for tests. */
  clock?: () => number;
};

/** With what every API that is spoken here writes and streams. */
export type Shared = AppDeps & { streams: EventStreams; batcher: EventBatcher; append: AppendEvents };

import type { Config } from '../../core/config.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { Database } from '../../prisma/client.ts';
import type { Reading } from '../../prisma/events/reading.ts';
import type { AppendEvents } from '../ingest/append-events.ts';
import type { EventStreams } from '../streams/event-streams.ts';

/** What the routes of Frontegg's audits work with. */
export type AuditDeps = {
  config: Config;
  database: Database;
  reading: Reading;
  metrics: Metrics;
  secretKey: SecretKey;
  streams: EventStreams;
  append: AppendEvents;
  clock?: () => number;
};

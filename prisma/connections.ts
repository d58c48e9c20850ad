import type { Config } from '../core/config.ts';

/** Connections that a process opens at most and on demand, besides those for scans. */
export const mostConnections = { requests: 20, runs: 4, queue: 10 };

/** Connections that all streams of events of a process have at a time (stream-scans.ts). */
export const streamConnections = 8;

/** Each export has the segment that is read and its readers' next ones open, and counts; estimates, verify and streams come besides. */
export const scanConnections = (
  config: Pick<Config, 'LOGFERRY_EXPORT_CONCURRENCY' | 'LOGFERRY_EXPORT_READERS'>,
): number => config.LOGFERRY_EXPORT_CONCURRENCY * (config.LOGFERRY_EXPORT_READERS + 2) + 6 + streamConnections;

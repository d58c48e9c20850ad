import type { Config } from '../core/config.ts';

/** Connections that a process opens at most and on demand, besides those for scans. */
export const mostConnections = { requests: 20, runs: 4, queue: 10 };

/** Each export has the segment that is read and its readers' next ones open, and counts; estimates and verify come besides. */
export const scanConnections = (
  config: Pick<Config, 'LOGFERRY_EXPORT_CONCURRENCY' | 'LOGFERRY_EXPORT_READERS'>,
): number => config.LOGFERRY_EXPORT_CONCURRENCY * (config.LOGFERRY_EXPORT_READERS + 2) + 6;

import { availableParallelism } from 'node:os';
import type { Config } from '../core/config.ts';

/** Connections that a process opens at most and on demand, besides those for scans. */
export const mostConnections = { requests: 20, runs: 4, queue: 10 };

/** Connections that all streams of events of a process have at a time (scan-shares.ts). */
export const streamConnections = 8;

type ExportConfig = Pick<Config, 'LOGFERRY_EXPORT_CONCURRENCY' | 'LOGFERRY_EXPORT_READERS'>;

/** What one export has open at most: the segment that is read, its readers' next ones, and a boundary. */
export const connectionsOfOne = ({ LOGFERRY_EXPORT_READERS }: ExportConfig): number => LOGFERRY_EXPORT_READERS + 2;

/**
 * Connections that all exports of a worker read through. More than two for each core bring nothing, as one thread takes
 * all rows; they would only keep PostgreSQL from everybody else.
 */
export const exportConnections = (config: ExportConfig): number =>
  Math.min(
    config.LOGFERRY_EXPORT_CONCURRENCY * connectionsOfOne(config),
    Math.max(connectionsOfOne(config), 2 * availableParallelism()),
  );

/** Estimates, verify and streams come besides. */
export const scanConnections = (config: ExportConfig): number => exportConnections(config) + 6 + streamConnections;

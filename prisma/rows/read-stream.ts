import type { Database } from '../client.ts';
import { reusedBuffers } from '../copy/buffers.ts';
import { copyPatiently } from '../copy/copy-patiently.ts';
import { streamScans } from '../copy/scan-shares.ts';
import { type Pace, type ReadChunk, readSegments } from './read-segments.ts';
import type { ExportRows } from './segments.ts';

const mebibyte = 1024 * 1024;
/** Bytes of rows that wait for the clients of all streams of a process, about; the least and the most of one segment. */
const budgetBytes = 64 * mebibyte;
const bufferLimits = { least: mebibyte / 4, most: 8 * mebibyte };
const bufferBytes = mebibyte / 4;
/** Buffers that are kept for the next rows: enough for a few fast streams. */
const buffersKept = 64;
/** The segment that is being sent, and the one behind it. */
const segmentsOpen = 2;

export type StreamReader = (rows: ExportRows, signal: AbortSignal) => AsyncGenerator<ReadChunk>;

/**
 * Makes what reads for all streams of a process. A stream gives its rows in order, as an export would have them, from
 * segments that fit into its share of the memory: PostgreSQL prints each in one go, and its connection is free again,
 * however slow the client is. `rows.segmentRows` is the most events of one segment.
 */
export function streamReader({ scans }: Pick<Database, 'scans'>): StreamReader {
  const scansFor = streamScans(scans);
  const buffers = reusedBuffers(bufferBytes, buffersKept);
  let open = 0;
  const shareBytes = () => {
    const share = budgetBytes / (Math.max(1, open) * segmentsOpen);
    return Math.min(bufferLimits.most, Math.max(bufferLimits.least, share));
  };
  return async function* readStream(rows, signal) {
    open++;
    try {
      yield* readSegments(scansFor(rows.tenantId, signal), rows, {
        from: { after: null, rows: 0 },
        readers: segmentsOpen - 1,
        signal,
        pace: {
          ...segmentSizes(shareBytes, rows.segmentRows),
          copy: (through, statement, options) =>
            copyPatiently(through, statement, { ...options, buffers, waitingLimitBytes: shareBytes() }),
        },
      });
    } finally {
      open--;
    }
  };
}

/** Events of the first segment, before anything is known of what they print. */
const firstRows = 1_000;
/** A segment may be so many times as large as the one before. */
const growth = 4;

/** Sizes segments so that each prints about three quarters of `bytes()`, by what the one before has printed. */
export function segmentSizes(bytes: () => number, mostRows: number): Pick<Pace, 'nextRows' | 'onRead'> {
  let rows = Math.min(firstRows, mostRows);
  return {
    nextRows: () => rows,
    onRead(events, printed) {
      const fitting = printed === 0 ? mostRows : Math.floor((0.75 * bytes() * events) / printed);
      rows = Math.max(1, Math.min(fitting, growth * events, mostRows));
    },
  };
}

import type pg from 'pg';
import type { RowChunk } from '../../core/exports/row-chunk.ts';
import { freshBuffers } from './buffers.ts';
import type { CopyOptions, Scans } from './copy-options.ts';
import { CopyReader } from './copy-reader.ts';

const mebibyte = 1024 * 1024;
const defaults = { buffers: freshBuffers(mebibyte), waitingLimitBytes: 3 * mebibyte };

/**
 * Runs a `COPY … TO STDOUT` and gives its output in buffers of whole rows. Whoever stops taking pauses the server. The
 * connection serves others as soon as the server has printed all, also while buffers still wait to be taken.
 *
 * PostgreSQL sends each row as one CopyData message (protocol documentation, "COPY Operations": "always one per row"),
 * which gives us the rows' boundaries for nothing: no scan for line breaks, which CSV cells may hold as well.
 */
export async function* copyRows(scans: Scans, statement: string, options: CopyOptions): AsyncGenerator<RowChunk> {
  options.signal.throwIfAborted();
  const client = await scans.connect();
  // A signal that came while we waited for the connection is not heard by a listener that is added now.
  if (options.signal.aborted) {
    client.release();
    throw options.signal.reason;
  }
  const reader = new CopyReader(client, statement, { ...defaults, ...options });
  const stop = () => reader.fail(options.signal.reason);
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    client.query(reader as unknown as pg.Submittable);
    for (let chunk = await reader.next(); chunk; chunk = await reader.next()) yield chunk;
  } finally {
    options.signal.removeEventListener('abort', stop);
    reader.fail(new Error('Nobody takes the rows any more'));
  }
}

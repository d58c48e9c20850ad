import type { RowChunk } from '../../core/exports/row-chunk.ts';
import { untilReachable } from '../until-reachable.ts';
import type { CopyOptions, Scans } from './copy-options.ts';
import { PausedTooLongError } from './copy-reader.ts';
import { copyRows } from './copy-rows.ts';
import { outageLimitMs } from './scan-shares.ts';

/** Milliseconds for which a statement may wait for a slow reader before its connection is given to others. */
const pauseLimitMs = 1_000;

/**
 * copyRows() for readers who may take hours. One that keeps the server waiting loses the connection, and with it the
 * snapshot that holds vacuum back; when it has taken what was read, the statement runs again, behind the rows it has. A
 * database that cannot be reached is waited for, as long as the run that it ended has given nothing.
 *
 * The statement must print the same rows in the same order each time.
 */
export async function* copyPatiently(scans: Scans, statement: string, options: CopyOptions): AsyncGenerator<RowChunk> {
  let given = options.skipRows ?? 0;
  for (;;) {
    const begin = async () => {
      const chunks = copyRows(scans, statement, { pauseLimitMs, ...options, skipRows: given });
      return { chunks, first: await chunks.next() };
    };
    const { chunks, first } = await untilReachable(begin, { limitMs: outageLimitMs, signal: options.signal });
    try {
      for (let chunk = first; !chunk.done; chunk = await chunks.next()) {
        given += chunk.value.rows;
        yield chunk.value;
      }
      return;
    } catch (error) {
      if (!(error instanceof PausedTooLongError)) throw error;
    } finally {
      await chunks.return(undefined);
    }
  }
}

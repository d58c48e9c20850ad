import { untilReachable } from '../until-reachable.ts';
import { PausedTooLongError } from './copy-reader.ts';
import { type CopyOptions, copyRows, type Scans, type Slab } from './copy-rows.ts';
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
export async function* copyPatiently(scans: Scans, statement: string, options: CopyOptions): AsyncGenerator<Slab> {
  let given = options.skipRows ?? 0;
  for (;;) {
    const begin = async () => {
      const slabs = copyRows(scans, statement, { pauseLimitMs, ...options, skipRows: given });
      return { slabs, first: await slabs.next() };
    };
    const { slabs, first } = await untilReachable(begin, { limitMs: outageLimitMs, signal: options.signal });
    try {
      for (let slab = first; !slab.done; slab = await slabs.next()) {
        given += slab.value.rows;
        yield slab.value;
      }
      return;
    } catch (error) {
      if (!(error instanceof PausedTooLongError)) throw error;
    } finally {
      await slabs.return(undefined);
    }
  }
}

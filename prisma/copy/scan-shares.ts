import type pg from 'pg';
import { sharedSlots } from '../../core/async/shared-slots.ts';
import { connectionsOfOne, exportConnections, streamConnections } from '../connections.ts';
import { untilReachable } from '../until-reachable.ts';
import type { Scans } from './copy-options.ts';

/** Milliseconds for which a stream waits for a database that is away, before it gives up. */
export const outageLimitMs = 30_000;

/** Gives scans to one user of a share, until its signal is aborted: to a tenant's stream, to a run of an export. */
export type ScansFor = (key: string, signal: AbortSignal) => Scans;

/**
 * The share of the pool for scans that streams have: of its connections half at most, and of these one tenant half at
 * most, so that no crowd of streams keeps exports, estimates or other tenants waiting. A database that is away is waited for.
 */
export function streamScans(pool: pg.Pool): ScansFor {
  const most = Math.max(1, Math.min(streamConnections, Math.floor(pool.options.max / 2)));
  return scanShare(pool, { most, mostOfOne: Math.ceil(most / 2), patienceMs: outageLimitMs });
}

/** The share of the pool for scans that the exports of a worker have. */
export const exportScans = (pool: pg.Pool, config: Parameters<typeof exportConnections>[0]): ScansFor =>
  scanShare(pool, { most: exportConnections(config), mostOfOne: connectionsOfOne(config), patienceMs: 0 });

/**
 * A share of a pool: so many of its connections, and so many for one key. Those who wait for one get it in the order in
 * which they came.
 */
function scanShare(
  pool: pg.Pool,
  { most, mostOfOne, patienceMs }: Record<'most' | 'mostOfOne' | 'patienceMs', number>,
): ScansFor {
  const inSlot = sharedSlots(most, mostOfOne);
  return (key, signal) => {
    const connect = async () => {
      const giveBack = await slotTaken((work) => inSlot(key, work), signal);
      try {
        const client = await pool.connect();
        const { release } = client;
        client.release = (isBroken) => {
          giveBack();
          release(isBroken);
        };
        return client;
      } catch (error) {
        giveBack();
        throw error;
      }
    };
    return {
      connect,
      query: (text) => untilReachable(() => queryOnce(connect, text, signal), { limitMs: patienceMs, signal }),
    };
  };
}

/** Ends with its connection when the signal is aborted: it may wait for a lock. */
async function queryOnce<Row extends pg.QueryResultRow>(
  connect: Scans['connect'],
  text: string,
  signal: AbortSignal,
): Promise<pg.QueryResult<Row>> {
  const client = await connect();
  let isHeld = true;
  const letGo = (isBroken: boolean) => {
    if (isHeld) client.release(isBroken);
    isHeld = false;
  };
  const stop = () => letGo(true);
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const result = await client.query<Row>(text);
    letGo(false);
    return result;
  } finally {
    signal.removeEventListener('abort', stop);
    letGo(true);
  }
}

/** Waits for a slot; what comes back gives it back. Whoever is stopped meanwhile waits no longer, and passes it on. */
function slotTaken(inSlot: (work: () => Promise<void>) => Promise<void>, signal: AbortSignal): Promise<() => void> {
  return new Promise((taken, stopped) => {
    // One that was stopped before would hear of it never.
    if (signal.aborted) return stopped(signal.reason);
    const stop = () => stopped(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    void inSlot(
      () =>
        new Promise((giveBack) => {
          signal.removeEventListener('abort', stop);
          if (signal.aborted) giveBack();
          else taken(giveBack);
        }),
    );
  });
}

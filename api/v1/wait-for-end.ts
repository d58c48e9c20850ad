import { setTimeout as delay } from 'node:timers/promises';
import type { Response } from 'express';
import { waitLimits } from '../../core/limits/replies.ts';
import { isStopping } from '../http/requests-under-way.ts';

/** The first looks come fast, for small exports end within a tenth of a second; then the database is spared. */
const firstLookMs = 15;
const longestPauseMs = 250;

type Job = { id: string; tenantId: string };

/** How a job is looked at again, and when it has ended. */
type Looks<Row extends Job> = { reload(row: Row): Promise<Row>; hasEnded(row: Row): boolean };

/**
 * The job as it is once it has ended, `timeoutMs` are over, or client or process go; whichever comes first. Undefined, at
 * once, where the tenant or the process has as many requests waiting as it may: a preference is a wish (RFC 7240).
 */
export type WaitForEnd<Row> = (row: Row, timeoutMs: number, response: Response) => Promise<Row | undefined>;

type Waiting<Row> = { deadline: number; response: Response; settle: (row: Promise<Row>) => void };

/** Makes what waits for all requests of a process: those for one job share each look at it. */
export function openWaits<Row extends Job>({ reload, hasEnded }: Looks<Row>, limits = waitLimits): WaitForEnd<Row> {
  /** By the id of the job. */
  const watched = new Map<string, Set<Waiting<Row>>>();
  const counted: string[] = [];
  const isFull = (tenantId: string): boolean =>
    counted.length >= limits.inAll || counted.filter((each) => each === tenantId).length >= limits.ofOneTenant;

  async function watch(row: Row, requests: Set<Waiting<Row>>): Promise<void> {
    let latest = row;
    let pauseMs = firstLookMs;
    try {
      for (;;) {
        settleThoseThatAreOver(requests, latest, hasEnded(latest));
        if (requests.size === 0) return;
        const leftMs = Math.min(...[...requests].map(({ deadline }) => deadline)) - performance.now();
        await delay(Math.max(0, Math.min(pauseMs, leftMs)));
        pauseMs = Math.min(longestPauseMs, pauseMs * 1.5);
        latest = await reload(row);
      }
    } catch (error) {
      for (const { settle } of requests) settle(Promise.reject(error));
    } finally {
      watched.delete(row.id);
    }
  }

  return async (row, timeoutMs, response) => {
    const { id, tenantId } = row;
    if (hasEnded(row)) return row;
    if (isFull(tenantId)) return undefined;
    counted.push(tenantId);
    const { promise, resolve: settle } = Promise.withResolvers<Row>();
    const waiting = { deadline: performance.now() + timeoutMs, response, settle };
    const others = watched.get(id);
    if (others) others.add(waiting);
    else {
      const first = new Set([waiting]);
      watched.set(id, first);
      void watch(row, first);
    }
    return promise.finally(() => counted.splice(counted.indexOf(tenantId), 1));
  };
}

function settleThoseThatAreOver<Row>(requests: Set<Waiting<Row>>, latest: Row, hasEnded: boolean): void {
  for (const each of requests) {
    const { deadline, response, settle } = each;
    const isOver = performance.now() >= deadline || response.destroyed || isStopping(response);
    if (!isOver && !hasEnded) continue;
    requests.delete(each);
    settle(Promise.resolve(latest));
  }
}

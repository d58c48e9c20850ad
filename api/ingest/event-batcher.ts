import { AppError } from '../../core/errors.ts';
import type { NewEvent } from '../../core/events/event-columns.ts';
import type { StoredEvent } from '../../prisma/events/append.ts';
import { isFull, isOutage } from '../../prisma/outage.ts';

/** Writes events of one tenant in one transaction, all or nothing. */
export type WriteEvents = (tenantId: string, events: readonly NewEvent[]) => Promise<StoredEvent[]>;

export type EventBatcher = {
  /**
   * Writes the events of one request, all or nothing, together with whatever else of that tenant is waiting. They are
   * written even if nobody waits for the promise any more.
   */
  append: WriteEvents;
  /** Ends when everything that was taken is written or failed. */
  idle(): Promise<void>;
};

export type BatcherOptions = {
  /** Events of one transaction; a single request may have more. It bounds how long a tenant's chain stays locked. */
  flushEvents?: number;
  /** Tenants written at a time; each takes a connection. */
  tenantsAtOnce?: number;
};

type Waiting = { events: readonly NewEvent[]; resolve: (stored: StoredEvent[]) => void; reject: (e: unknown) => void };

/**
 * Writers of one tenant lock its chain one after the other (architecture: the lock is what makes sequence order commit order), so
 * requests that arrive together share one flush: while a flush is running, what arrives gathers for the next one. Nothing
 * waits for a timer: the first request of an idle tenant is written at once.
 */
export function eventBatcher(write: WriteEvents, options: BatcherOptions = {}): EventBatcher {
  const { flushEvents = 2000, tenantsAtOnce = 6 } = options;
  const waiting = new Map<string, Waiting[]>();
  /** Tenants with something waiting and no flush running, longest wait first. */
  const line: string[] = [];
  const running = new Set<string>();
  let onIdle: (() => void)[] = [];

  async function flush(tenantId: string): Promise<void> {
    const requests = takeRequests(waiting, tenantId, flushEvents);
    await writeTogether(write, tenantId, requests);
    running.delete(tenantId);
    // To the end of the line: a busy tenant lets the others through between its flushes.
    if (waiting.has(tenantId)) line.push(tenantId);
    start();
  }

  function start(): void {
    while (running.size < tenantsAtOnce && line.length > 0) {
      const tenantId = line.shift()!;
      running.add(tenantId);
      void flush(tenantId);
    }
    if (running.size > 0) return;
    for (const tell of onIdle) tell();
    onIdle = [];
  }

  return {
    append: (tenantId, events) =>
      new Promise((resolve, reject) => {
        const queue = waiting.get(tenantId);
        if (queue) queue.push({ events, resolve, reject });
        else {
          waiting.set(tenantId, [{ events, resolve, reject }]);
          if (!running.has(tenantId)) line.push(tenantId);
        }
        start();
      }),
    idle: () => new Promise((resolve) => (running.size > 0 ? onIdle.push(resolve) : resolve())),
  };
}

/** Takes the requests of the next flush: in the order of arrival, up to `most` events, at least one. */
function takeRequests(waiting: Map<string, Waiting[]>, tenantId: string, most: number): Waiting[] {
  const queue = waiting.get(tenantId)!;
  let taken = 0;
  let events = 0;
  while (taken < queue.length && (taken === 0 || events + queue[taken]!.events.length <= most)) {
    events += queue[taken]!.events.length;
    taken++;
  }
  const requests = queue.splice(0, taken);
  if (queue.length === 0) waiting.delete(tenantId);
  return requests;
}

/** Settles every request; never fails. */
async function writeTogether(write: WriteEvents, tenantId: string, requests: readonly Waiting[]): Promise<void> {
  try {
    const all = requests.length === 1 ? requests[0]!.events : requests.flatMap((request) => request.events);
    const stored = await write(tenantId, all);
    let start = 0;
    for (const { events, resolve } of requests) {
      resolve(stored.slice(start, start + events.length));
      start += events.length;
    }
  } catch (error) {
    if (requests.length > 1 && isOfOneRequest(error)) {
      for (const request of requests) await writeTogether(write, tenantId, [request]);
    } else for (const { reject } of requests) reject(error);
  }
}

/**
 * Whether writing one by one may help: the database refused something, and rolled back. For want of room it refuses all. With a lost connection it may as
 * well have committed, and a second try would store everything twice.
 */
const isOfOneRequest = (error: unknown): boolean => !(error instanceof AppError) && !isOutage(error) && !isFull(error);

import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import type { Order } from './orders.ts';
import type { Random } from './random-numbers.ts';
import type { ChaosTenant } from './tenants.ts';

/** What goes on beside the exports until it is told to end. */
export type Busy = {
  /** Gives what was seen that must not be. */
  stop(): Promise<string[]>;
};

const readerPauseMs = 200;
const writerPauseMs = 300;
const eventsOfBatch = 5;
/** Statuses in the order in which clients may see them; a queued export may have been running before. */
const rank: Record<string, number> = { queued: 0, running: 0, completed: 1, canceled: 1, failed: 1 };

/** Polls exports, as their clients do: all that they see must fit together. */
export function keepReading(client: ApiClient, orders: readonly Order[], random: Random): Busy {
  const lastSeen = new Map<string, string>();
  const mistakes: string[] = [];
  return repeating(readerPauseMs, mistakes, async () => {
    const known = orders.filter(({ id }) => id !== undefined);
    if (known.length === 0) return;
    const { tenant, id } = random.pick(known);
    const reply = await client.once(tenant.key, `/v1/exports/${id}`);
    if (random.chance(0.1)) await client.once(tenant.key, '/v1/exports?limit=100');
    // Whether an API may be away, or answer 5xx, is for the audit to say (audit-replies.ts).
    if (!reply || reply.status >= 500) return;
    const { status } = reply.body;
    const before = lastSeen.get(id!);
    if (reply.status !== 200) mistakes.push(`GET of the export ${id} was answered ${reply.status}`);
    else if (before && (rank[status]! < rank[before]! || (rank[before] === 1 && status !== before))) {
      mistakes.push(`the export ${id} was ${before} and then ${status}`);
    }
    lastSeen.set(id!, status);
  });
}

/** Writes events under ids of its own, each batch until it is answered. `written` are those that were taken. */
export function keepWriting(client: ApiClient, tenant: ChaosTenant, written: Set<string>): Busy {
  const mistakes: string[] = [];
  return repeating(writerPauseMs, mistakes, async () => {
    const events = Array.from({ length: eventsOfBatch }, () => ({ id: randomUUID(), action: 'chaos.written' }));
    const reply = await client.until(tenant.key, '/v1/events/batch', { json: { events } });
    if (reply.status !== 201) mistakes.push(`events were answered ${reply.status}`);
    else for (const { id } of events) written.add(id);
  });
}

function repeating(pauseMs: number, mistakes: string[], work: () => Promise<void>): Busy {
  let isStopped = false;
  const loop = (async () => {
    while (!isStopped) {
      await work().catch((error: Error) => mistakes.push(error.message));
      await wait(pauseMs);
    }
  })();
  return {
    async stop() {
      isStopped = true;
      await loop;
      return mistakes;
    },
  };
}

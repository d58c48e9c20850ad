import type { NewEvent } from '../../core/events/event-columns.ts';
import { eventJson } from '../../core/events/event-text.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Database } from '../../prisma/client.ts';
import { appendEvents } from '../../prisma/events/append.ts';
import { findEvents } from '../../prisma/events/list.ts';
import { appendAsIngest, tenantSql } from '../../prisma/isolation/as-role.ts';
import { type EventBatcher, eventBatcher } from './event-batcher.ts';

/** Writes events, and gives each as GET would show it: a repeated one as it was stored. In the order given. */
export type AppendEvents = (tenantId: string, events: readonly NewEvent[]) => Promise<string[]>;

/** Makes the batcher that writes for all routes of a process: what arrives together shares one lock of its tenant's chain. */
export const databaseBatcher = (database: Database): EventBatcher =>
  eventBatcher((tenantId, events) => appendAsIngest(database.pool, (sql) => appendEvents(sql, tenantId, events)));

type AppenderDeps = { database: Database; batcher: EventBatcher; metrics: Metrics };

export const eventAppender =
  ({ database, batcher, metrics }: AppenderDeps): AppendEvents =>
  async (tenantId, events) => {
    const stored = await batcher.append(tenantId, events);
    metrics.add('logferry_events_written_total', events.length);
    const repeats = stored.filter((each) => each.repeated).map((each) => each.id);
    const read = () => findEvents(tenantSql(database.pool, tenantId), tenantId, repeats);
    const earlier = repeats.length > 0 ? await read() : undefined;
    return stored.map((link, index) => (link.repeated ? earlier!.get(link.id)!.json : eventJson(events[index]!, link)));
  };

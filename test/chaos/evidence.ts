import type { ReceivedMessage } from '../webhook-receiver.ts';
import type { Fleet } from './fleet.ts';
import type { Order } from './orders.ts';
import type { Stop, Trouble } from './scene.ts';
import { type Change, readHistory } from './status-history.ts';
import type { ChaosTenant } from './tenants.ts';

/** All that is known at the end of a run: what was asked for, what was done to the fleet, and what came of it. */
export type Evidence = {
  fleet: Fleet;
  tenants: ChaosTenant[];
  orders: Order[];
  /** By export id. */
  history: Map<string, Change[]>;
  troubles: Trouble[];
  stops: Stop[];
  received: ReceivedMessage[];
  /** Ids of the events that APIs have taken from each writer. */
  written: Map<ChaosTenant, Set<string>>;
};

/** Looks at one thing and gives what is wrong with it, a line each. */
export type Audit = (evidence: Evidence) => Promise<string[]> | string[];

/** Of a run in which nothing was done to the fleet that explains a failure or a crash, unless `troubles` tell of it. */
export const evidenceOf = async (fleet: Fleet, orders: Order[], troubles: Trouble[] = []): Promise<Evidence> => ({
  fleet,
  orders,
  troubles,
  tenants: [...new Set(orders.map(({ tenant }) => tenant))],
  history: await readHistory(fleet.pool),
  stops: [],
  received: [],
  written: new Map(),
});

/** Whether something of this kind was going on at some moment between the two, or had ended less than `graceMs` before. */
export const wasTrouble = (
  { troubles }: Pick<Evidence, 'troubles'>,
  what: { of: string | RegExp; fault?: string },
  time: { from: number; to: number; graceMs?: number },
): boolean =>
  troubles.some(
    (trouble) =>
      (typeof what.of === 'string' ? trouble.of === what.of : what.of.test(trouble.of)) &&
      (what.fault === undefined || trouble.fault === what.fault) &&
      trouble.from <= time.to &&
      trouble.to + (time.graceMs ?? 0) >= time.from,
  );

import { getHeapStatistics } from 'node:v8';
import type { memoryKindNames } from '../metrics.ts';

const mebibyte = 1024 * 1024;

/**
 * What takes memory for a client, and how many bytes a process holds at most for one that is counted. By measurement, rounded
 * up: a body of JSON is there as bytes, as values, as checked events and as what PostgreSQL gets.
 */
export const memoryKinds = {
  /** Bytes of bodies as unpacked, until their requests are answered. */
  bodies: { heldPerByte: 4 },
  /** Windows of decoders, which are kept beside what came out of them. */
  windows: { heldPerByte: 1 },
  /** Bytes of events that are read for a reply: what the driver got, the rows as text, the reply. */
  pages: { heldPerByte: 3 },
  /** Bytes of replies that the client has not taken. */
  replies: { heldPerByte: 1 },
  /** Bytes of messages to webhooks that are on their way. */
  deliveries: { heldPerByte: 3 },
} satisfies Record<MemoryKind, { heldPerByte: number }>;

export type MemoryKind = (typeof memoryKindNames)[number];

/** How much of V8's heap limit the API may hold for clients; what it takes for itself and garbage have the rest. */
const heapShares = { api: 0.4, deliveries: 0.05 };

/** Of that, what one tenant may have; what one address without a key may have, and all of those. */
const shares = { tenant: 1 / 3, address: 1 / 24, strangers: 1 / 6 };

/** So many bytes at most for all holdings that name it. */
export type Share = { name: string; mostBytes: number };

/** Bytes that are there for the work of one kind of process: `node --max-old-space-size` moves it. */
export const memoryLimitBytes = (process: keyof typeof heapShares): number =>
  Math.max(16 * mebibyte, Math.floor(getHeapStatistics().heap_size_limit * heapShares[process]));

/** For whom memory is held: a tenant or a caller, by a name that nobody else has; or an address, of whom nothing else is known. */
export type Owner = { name: string } | { address: string };

/** What a holding of this owner counts against, out of `limitBytes` in all. */
export function sharesOf(owner: Owner, limitBytes: number): Share[] {
  const share = (name: string, part: number) => ({ name, mostBytes: Math.floor(limitBytes * part) });
  if ('name' in owner) return [share(owner.name, shares.tenant)];
  return [share(`address ${owner.address}`, shares.address), share('strangers', shares.strangers)];
}

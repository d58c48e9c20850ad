import { randomUUID } from 'node:crypto';

/** The millisecond of the last id, and its number among those of that millisecond. */
let last = 0;
let count = 0;
/** What the ids of that millisecond begin with. */
let prefix = '';

/**
 * A UUIDv7: later ids sort after earlier ones, so that lists and indexes run in order of time. Of one process, also those
 * of the same millisecond: they are numbered in the 12 bits after the time (RFC 9562 section 6.2, method 1), and more than
 * those can count run ahead of the clock. 62 bits are random.
 *
 * Every event gets one, so its bits come from randomUUID(), which draws them in bulk: packages that ask for 16 bytes at a
 * time took a quarter of the time that an event takes.
 */
export function newId(): string {
  const now = Date.now();
  if (now > last) begin(now);
  else if (++count > 0xfff) begin(last + 1);
  return `${prefix}${count.toString(16).padStart(3, '0')}${randomUUID().slice(18)}`;
}

function begin(ms: number): void {
  last = ms;
  count = 0;
  prefix = `${timePart(ms)}-7`;
}

function timePart(ms: number): string {
  const time = ms.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}

/** Ids made from this time on (milliseconds since 1970) are not below it, those made before are. */
export const firstIdOf = (ms: number): string => `${timePart(ms)}-7000-8000-000000000000`;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a UUID of any version. Anything else cannot be the id of anything here. */
export const isUuid = (text: string): boolean => uuid.test(text);

import { AppError } from '../../core/errors.ts';
import { type PlaceLimits, progressLimits, streamLimits } from '../../core/limits/replies.ts';

/** What is counted, in the plural, and what to do instead. */
type Told = { what: string; instead: string };
const eventStreams: Told = { what: 'streams of events', instead: 'make an export (POST /v1/exports)' };
const progressStreams: Told = {
  what: 'streams of progress',
  instead: 'ask for the export now and then (GET /v1/exports/{id})',
};

/** Seconds after which a client who found no place should ask again. */
const retryAfterSeconds = 5;

/** For whom a place is. */
export type Taker = { tenantId: string; callerId?: string };

/** Takes a place, and gives what gives it back. */
export type TakePlace = (taker: Taker) => () => void;

/**
 * Counts the streams of a process. Who comes when all places are taken is told so at once: a stream that waits for others
 * to end might wait for hours, with a client who sees nothing.
 *
 * Fails with AppError: 429 rate_limit_exceeded when the tenant or the caller has its share, 503 unavailable when the process
 * is full; both with `Retry-After`.
 */
function openPlaces(
  { inAll, ofOneTenant, ofOneCaller = ofOneTenant }: PlaceLimits,
  { what, instead }: Told,
): TakePlace {
  const taken = new Set<Taker>();
  const count = (test: (one: Taker) => boolean) => [...taken].filter(test).length;
  const full = (type: 'rate_limit_exceeded' | 'unavailable', message: string) =>
    new AppError(type, `${message} Let one end, or ${instead}.`, {
      headers: { 'Retry-After': `${retryAfterSeconds}` },
    });
  return (taker) => {
    if (taker.callerId !== undefined && count(({ callerId }) => callerId === taker.callerId) >= ofOneCaller) {
      throw full('rate_limit_exceeded', `The key or user has ${ofOneCaller} ${what} under way here.`);
    }
    if (count(({ tenantId }) => tenantId === taker.tenantId) >= ofOneTenant) {
      throw full('rate_limit_exceeded', `The tenant has ${ofOneTenant} ${what} under way here.`);
    }
    if (taken.size >= inAll) throw full('unavailable', `All ${inAll} ${what} that this process sends are under way.`);
    const place = { ...taker };
    taken.add(place);
    return () => void taken.delete(place);
  };
}

export const streamPlaces = (limits = streamLimits): TakePlace => openPlaces(limits, eventStreams);
export const progressPlaces = (limits = progressLimits): TakePlace => openPlaces(limits, progressStreams);

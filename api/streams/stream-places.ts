import { AppError } from '../../core/errors.ts';

/** Streams of events that a process sends at a time, and those of one tenant. Each may last for hours. */
export const streamLimits = { inAll: 100, ofOneTenant: 50 };

/** Seconds after which a client who found no place should ask again. */
const retryAfterSeconds = 5;

/** Takes a place for a stream of the tenant, and gives what gives it back. */
export type TakePlace = (tenantId: string) => () => void;

/**
 * Counts the streams of a process. Who comes when all places are taken is told so at once: a stream that waits for others
 * to end might wait for hours, with a client who sees nothing.
 *
 * Fails with AppError: 429 rate_limit_exceeded when the tenant has its share, 503 unavailable when the process is full;
 * both with `Retry-After`.
 */
export function streamPlaces({ inAll, ofOneTenant } = streamLimits): TakePlace {
  const taken: string[] = [];
  return (tenantId) => {
    const headers = { 'Retry-After': String(retryAfterSeconds) };
    if (taken.filter((each) => each === tenantId).length >= ofOneTenant) {
      const message = `The tenant has ${ofOneTenant} streams of events under way here. Let one end, or make an export (POST /v1/exports).`;
      throw new AppError('rate_limit_exceeded', message, { headers });
    }
    if (taken.length >= inAll) {
      const message = `All ${inAll} streams of events that this process sends are under way. Try again in a few seconds, or make an export (POST /v1/exports).`;
      throw new AppError('unavailable', message, { headers });
    }
    taken.push(tenantId);
    let isTaken = true;
    return () => {
      if (isTaken) taken.splice(taken.indexOf(tenantId), 1);
      isTaken = false;
    };
  };
}

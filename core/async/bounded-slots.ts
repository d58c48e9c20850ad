import { AppError } from '../errors.ts';
import { sharedSlots } from './shared-slots.ts';
import { TooLateError } from './within.ts';

/** Works at a time in a process, those of one tenant, and how many milliseconds one waits for others to end. */
export type SlotLimits = { inAll: number; ofOneTenant: number; waitMs: number };

const retryAfterSeconds = 5;

/**
 * sharedSlots() for the requests of tenants: whoever finds no slot within `waitMs` is told so.
 * @param busy what is going on, and what to do instead
 * Fails with AppError unavailable and `Retry-After`, or as the work does.
 */
export function boundedSlots({ inAll, ofOneTenant, waitMs }: SlotLimits, busy: string) {
  const inSlot = sharedSlots(inAll, ofOneTenant, { waitMs });
  return async <T>(tenantId: string, work: () => Promise<T>): Promise<T> => {
    let begun = false;
    const begin = () => {
      begun = true;
      return work();
    };
    return inSlot(tenantId, begin).catch((error) => {
      if (begun || !(error instanceof TooLateError)) throw error;
      throw new AppError('unavailable', busy, { cause: error, headers: { 'Retry-After': `${retryAfterSeconds}` } });
    });
  };
}

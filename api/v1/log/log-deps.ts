import { boundedSlots } from '../../../core/async/bounded-slots.ts';
import type { AppDeps } from '../../app-deps.ts';
import type { Reply } from '../../openapi/described.ts';

/** What calls about tenants' logs work with: LogDeps of prisma/log. */
export type LogRouteDeps = Pick<AppDeps, 'config' | 'database' | 'store' | 'secretKey' | 'log'>;

/** A reply of text, as all of C2SP's formats are. */
export const textReply = (description: string, example: string): Reply => ({
  description,
  content: { 'text/plain': { schema: { type: 'string' }, example } },
});

/** Checkpoints bring the tree up to date, and ask the storage. */
const mostAtATime = { inAll: 8, ofOneTenant: 2, waitMs: 15_000 };

const tooBusy = 'Too many checkpoints and proofs are being made. Ask for fewer at a time.';

/** Lets few of these calls of one tenant be under way at a time, in a process. */
export const logSlots = () => boundedSlots(mostAtATime, tooBusy);

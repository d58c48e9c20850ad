import { forgetIdempotencyKeys } from '../../prisma/exports/leftovers.ts';
import type { SweepDeps } from './sweep-deps.ts';

/** Forgets idempotency keys whose time is over. */
export async function forgetKeys({ database }: SweepDeps): Promise<void> {
  await forgetIdempotencyKeys(database.prisma);
}

import type { Request } from 'express';
import { AppError } from '../../core/errors.ts';

/** Seconds that `Prefer: wait` may ask for. */
const longestWaitSeconds = 30;

/** The Idempotency-Key, if there is one. @throws AppError bad_request for one that cannot be kept */
export function readIdempotencyKey(request: Request): string | undefined {
  const key = request.get('idempotency-key');
  if (key === undefined) return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new AppError(
    'bad_request',
    'The header "Idempotency-Key" must have 1 to 255 printable ASCII characters and no spaces.',
  );
}

/**
 * Seconds of `Prefer: wait=<s>` (RFC 7240 section 4.3), at most 30; 0 without it. A preference that cannot be read is
 * ignored, as section 2 has it.
 */
export function readWaitSeconds(request: Request): number {
  const asked = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(request.get('prefer') ?? '');
  return asked ? Math.min(longestWaitSeconds, Number(asked[1])) : 0;
}

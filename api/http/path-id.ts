import type { Request } from 'express';
import { notFound } from '../../core/errors.ts';
import { isUuid } from '../../core/ids.ts';

/**
 * The id in the path.
 * @throws AppError not_found for what is no UUID: it cannot be the id of anything
 */
export function uuidOf(request: Request, what: string): string {
  const id = String(request.params.id);
  if (!isUuid(id)) throw notFound(what);
  return id;
}

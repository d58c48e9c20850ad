import type { RequestHandler } from 'express';
import { AppError } from '../../core/errors.ts';
import type { SchemaCheck } from '../../prisma/schema-check.ts';

/** Answers 503 until the database has the tables of this version. */
export function requireSchema({ schema }: { schema: Pick<SchemaCheck, 'isUsable'> }): RequestHandler {
  return async (_request, _response, next) => {
    if (!(await schema.isUsable())) {
      throw new AppError('unavailable', 'The database is being upgraded; try again in a moment.');
    }
    next();
  };
}

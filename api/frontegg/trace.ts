import type { RequestHandler } from 'express';
import { requestIdOf } from '../http/request-log.ts';

/** Frontegg's support asks for this id; it is that of `X-Request-Id`. */
export const traceForFrontegg: RequestHandler = (_request, response, next) => {
  response.set('frontegg-trace-id', requestIdOf(response));
  next();
};

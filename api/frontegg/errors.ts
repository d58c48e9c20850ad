import type { RequestHandler } from 'express';
import type { AppError } from '../../core/errors.ts';
import type { ErrorFamily } from '../http/error-handler.ts';
import { requestIdOf } from '../http/request-log.ts';

/** Errors as Frontegg's clients read them: `{"errors": ["text"]}`, and when to come back as a time. */
export const fronteggErrors: ErrorFamily = {
  contentType: 'application/json; charset=utf-8',
  // There, a value that will not do is a bad request like any other.
  statusOf: ({ status }) => (status === 422 ? 400 : status),
  headersOf: ({ headers, status }): Record<string, string> => {
    const seconds = Number(headers['Retry-After']);
    if (status !== 429 || !seconds) return {};
    return { 'X-Rate-Limit-Reset': new Date(Date.now() + seconds * 1000).toISOString() };
  },
  bodyOf: (error) => ({ errors: textsOf(error) }),
};

const textsOf = ({ errors, message }: AppError): string[] =>
  errors.length === 0 ? [message] : errors.map((each) => (each.path ? `${each.path}: ${each.message}` : each.message));

/** Their support asks for this id; it is that of `X-Request-Id`. */
export const traceForFrontegg: RequestHandler = (_request, response, next) => {
  response.set('frontegg-trace-id', requestIdOf(response));
  next();
};

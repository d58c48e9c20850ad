import type { AppError } from '../../core/errors.ts';
import type { ErrorFamily } from './error-handler.ts';

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

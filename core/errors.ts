/** One mistake in a request: where, and what to do about it. */
export type FieldError = { path: string; message: string };

/**
 * The one list of error types (`error.type` of every reply) with their HTTP status.
 * The worker asks only isRetryable(); the API only this table.
 */
export const errorTypes = {
  bad_request: 400,
  authentication_error: 401,
  scope_error: 403,
  plan_feature_unavailable: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  misdirected_request: 421,
  validation_error: 422,
  idempotency_mismatch: 422,
  plan_limit_exceeded: 429,
  rate_limit_exceeded: 429,
  server_error: 500,
  unavailable: 503,
} as const;

export type ErrorType = keyof typeof errorTypes;

type Details = {
  errors?: FieldError[];
  cause?: unknown;
  headers?: Record<string, string>;
  members?: Record<string, unknown>;
};

/** An error that a client is told of: `message` is public and says what to do. */
export class AppError extends Error {
  readonly type: ErrorType;
  readonly errors: FieldError[];
  /** Reply headers that belong to the error, such as Retry-After. */
  readonly headers: Record<string, string>;
  /** Further members of the problem document, such as base_url. */
  readonly members: Record<string, unknown>;

  constructor(type: ErrorType, message: string, details: Details = {}) {
    super(message, { cause: details.cause });
    this.name = 'AppError';
    this.type = type;
    this.errors = details.errors ?? [];
    this.headers = details.headers ?? {};
    this.members = details.members ?? {};
  }

  get status(): number {
    return errorTypes[this.type];
  }
}

/** The reply for a missing object and for another tenant's: the same, so that ids tell nothing. */
export const notFound = (what: string): AppError =>
  new AppError('not_found', `There is no such ${what}. Check the id, and that it belongs to this tenant.`);

/** Mistakes that one reply lists: a body of nothing but mistakes must not make a reply many times its size. */
export const mostMistakes = 100;

/** A 422 that lists the mistakes found, the first hundred of them. */
export function invalid(found: FieldError[]): AppError {
  const errors = found.slice(0, mostMistakes);
  const told = errors.map((e) => (e.path ? `${e.path}: ${e.message}` : e.message));
  if (found.length > errors.length) told.push(`and ${found.length - errors.length} more`);
  return new AppError('validation_error', told.join('; '), { errors });
}

/** A failure of a run that no repetition can repair: the export ends as failed at once. */
export class FinalError extends Error {
  readonly code: string;
  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'FinalError';
    this.code = code;
  }
}

/**
 * Whether a failed run or delivery is worth another try: everything is, but what the input itself causes. Connections
 * break and servers restart, and an attempt too many costs less than an export lost.
 */
export function isRetryable(error: unknown): boolean {
  if (error instanceof FinalError) return false;
  if (error instanceof AppError) return error.status >= 500;
  // 22xxx: a value that the query cannot handle; 42xxx: a query that is wrong; 54xxx: a row or a statement beyond the
  // server's limits. None changes by waiting.
  const code = (error as { code?: unknown } | null)?.code;
  return !(typeof code === 'string' && /^(22|42|54)[0-9A-Z]{3}$/.test(code));
}

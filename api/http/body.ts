import express, { type Request, type RequestHandler } from 'express';
import type { z } from 'zod';
import { AppError, type FieldError, invalid } from '../../core/errors.ts';
import { fieldErrors } from '../../core/field-errors.ts';
import { parseJson } from '../../core/json/json.ts';

/** Bytes that a JSON body may have, unless a route says otherwise. */
export const bodyLimitBytes = 1024 * 1024;

const jsonType = /^application\/(?:[\w.!#$&^-]+\+)?json$/i;

/**
 * Reads a JSON body into `request.body`; without a body it is undefined. Compressed bodies (gzip, deflate, br, zstd) are
 * unpacked, and the limit holds for what comes out.
 *
 * Fails with AppError: 415 for another content type or encoding, 413 beyond the limit, 400 or 422 from parseJson.
 */
export function jsonBody(limitBytes = bodyLimitBytes): RequestHandler {
  const raw = express.raw({ type: () => true, limit: limitBytes });
  return (request, response, next) => {
    if (hasBody(request) && !isJson(request.headers['content-type'])) return next(notJson(request));
    const inTime = beforeDeadline(request, limitBytes, next);
    raw(request, response, (error?: unknown) => {
      if (!inTime()) return;
      if (error) return next(bodyError(error, limitBytes));
      try {
        request.body = fromBytes(request.body);
      } catch (unreadable) {
        return next(unreadable);
      }
      next();
    });
  };
}

/** A body has so long, and a second more for so many bytes of it: half-sent ones must not be held for ever. */
const bodyDeadline = { ms: 30_000, bytesPerSecond: 16 * 1024 };

/** Gives up a body that does not come in time. The returned function ends the wait, and says whether it was in time. */
export function beforeDeadline(request: Request, limitBytes: number, giveUp: (error: AppError) => void): () => boolean {
  const bytes = Math.min(Number(request.headers['content-length'] ?? limitBytes), limitBytes);
  const ms = bodyDeadline.ms + (bytes / bodyDeadline.bytesPerSecond) * 1000;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    giveUp(
      new AppError('bad_request', `The body did not come within ${Math.round(ms / 1000)} s.`, {
        headers: { Connection: 'close' },
      }),
    );
  }, ms);
  return () => {
    clearTimeout(timer);
    return !isLate;
  };
}

const fromBytes = (bytes: unknown): unknown =>
  Buffer.isBuffer(bytes) && bytes.length > 0 ? parseJson(bytes) : undefined;

/** RFC 9112 section 6.3: a request has a body when it says how long it is, or that it comes in chunks. */
export const hasBody = (request: Request): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

/** A body without a type is taken for JSON. A charset, if one is named, must be UTF-8 (RFC 8259 section 8.1). */
function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined) return true;
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim());
  const charset = parameters.find((p) => /^charset=/i.test(p))?.slice('charset='.length);
  return jsonType.test(type!) && (charset === undefined || /^"?utf-?8"?$/i.test(charset));
}

const notJson = (request: Request): AppError =>
  new AppError(
    'unsupported_media_type',
    `The body must be JSON in UTF-8, sent with "Content-Type: application/json", ` +
      `not "${String(request.headers['content-type']).slice(0, 80)}".`,
    { headers: { Accept: 'application/json' } },
  );

/** An error of express.raw, in our words. */
export function bodyError(error: unknown, limitBytes: number): AppError {
  const type = (error as { type?: string }).type;
  if (type === 'entity.too.large') return tooLarge(limitBytes, error);
  if (type === 'encoding.unsupported') {
    const message = 'The Content-Encoding of the body is not known. Taken: identity, gzip, deflate, br, zstd.';
    return new AppError('unsupported_media_type', message, { cause: error });
  }
  if (type === 'request.aborted')
    return new AppError('bad_request', 'The request ended before its body.', { cause: error });
  return new AppError(
    'bad_request',
    'The body cannot be read: its length or its compression is not what the headers say.',
    {
      cause: error,
    },
  );
}

/** The 413 that says how much is taken. */
export const tooLarge = (limitBytes: number, cause?: unknown): AppError =>
  new AppError('payload_too_large', `The body is larger than ${limitBytes} bytes, the most that is taken here.`, {
    cause,
  });

/**
 * Checks a body (or query) by its schema and gives it as the schema makes it.
 * @param path stands before the path of each mistake
 * @throws AppError bad_request when there is no body; validation_error that lists every mistake
 */
export function parse<S extends z.ZodType>(schema: S, value: unknown, path?: string): z.output<S> {
  if (value === undefined) throw new AppError('bad_request', 'This call needs a JSON body.');
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.flatMap(fieldErrors).map((each) => placed(each, path)));
}

/** A mistake at its place in the request; one of the whole body says so. */
function placed({ path, message }: FieldError, before?: string): FieldError {
  const at = [before, path].filter(Boolean).join('.');
  return { path: at, message: at === '' ? `The body ${message}` : message };
}

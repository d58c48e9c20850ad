import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import { AppError, type FieldError, invalid } from '../../core/errors.ts';
import { fieldErrors } from '../../core/field-errors.ts';
import { parseJson } from '../../core/json/json.ts';
import { bodyDeadline, bodyLimitBytes } from '../../core/limits/bodies.ts';
import type { Holding } from '../../core/limits/byte-budget.ts';
import { gatherBytes } from './gather-bytes.ts';
import { holdingOf } from './held-memory.ts';
import { discardRest, readChunks } from './read-chunks.ts';

const jsonType = /^application\/(?:[\w.!#$&^-]+\+)?json$/i;

/**
 * Reads a JSON body into `request.body`; without a body it is undefined. Compressed bodies (gzip, deflate, br, zstd) are
 * unpacked, and the limit holds for what comes out.
 * @param read makes the body of its bytes
 *
 * Fails with AppError: 415 for another content type or encoding, 413 beyond the limit, 400 or 422 from parseJson.
 */
export function jsonBody(
  limitBytes = bodyLimitBytes.usual,
  read: (bytes: Buffer) => unknown | Promise<unknown> = parseJson,
): RequestHandler {
  return async (request, response, next) => {
    if (hasBody(request) && !isJson(request.headers['content-type'])) throw notJson(request);
    const bytes = await readBody(request, response, limitBytes);
    request.body = bytes && bytes.length > 0 ? await read(bytes) : undefined;
    next();
  };
}

/**
 * Reads a body whole, unpacked; undefined without one. The memory for it is held as it comes, until the request is answered.
 *
 * Fails with AppError: 413 beyond the limit, 400 when it does not come in time or what comes is not what the headers say, 415
 * for an unknown Content-Encoding, 503 when there is no memory for it.
 */
export async function readBody(request: Request, response: Response, limitBytes: number): Promise<Buffer | undefined> {
  if (!hasBody(request)) return undefined;
  const late = Promise.withResolvers<never>();
  const inTime = beforeDeadline(request, limitBytes, late.reject);
  try {
    return await Promise.race([gather(request, holdingOf(request, response), limitBytes), late.promise]);
  } catch (error) {
    discardRest(request);
    throw error;
  } finally {
    inTime();
  }
}

async function gather(request: Request, holding: Holding, limitBytes: number): Promise<Buffer> {
  const isPacked = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase() !== 'identity';
  if (!isPacked && Number(request.headers['content-length']) > limitBytes) throw tooLarge(limitBytes);
  const gathered = gatherBytes();
  for await (const chunk of readChunks(request, { holding })) {
    if (gathered.length + chunk.length > limitBytes) throw tooLarge(limitBytes);
    gathered.add(chunk);
  }
  return gathered.take();
}

/** Gives up a body that does not come in time. The returned function ends the wait. */
function beforeDeadline(request: Request, limitBytes: number, giveUp: (error: AppError) => void): () => void {
  const bytes = Math.min(Number(request.headers['content-length'] ?? limitBytes), limitBytes);
  const ms = bodyDeadline.ms + (bytes / bodyDeadline.bytesPerSecond) * 1000;
  const timer = setTimeout(() => {
    giveUp(
      new AppError('bad_request', `The body did not come within ${Math.round(ms / 1000)} s.`, {
        headers: { Connection: 'close' },
      }),
    );
  }, ms);
  return () => clearTimeout(timer);
}

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

/** The 413 that says how much is taken. */
const tooLarge = (limitBytes: number): AppError =>
  new AppError('payload_too_large', `The body is larger than ${limitBytes} bytes, the most that is taken here.`);

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

import type { Duplex } from 'node:stream';
import { AppError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { headLimitBytes } from '../../core/limits/bodies.ts';
import { problemOf } from './error-handler.ts';

/**
 * Answers what never becomes a request (a head that is too long, no HTTP at all) as every other mistake is answered. To
 * be heard as `clientError` of the server; by itself Node would send a bare status line.
 */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  // What is still being sent is an earlier reply: nothing may stand in the midst of it, or wait behind it for ever.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.writableLength > 0) return void socket.destroy();
  const requestId = newId();
  const body = JSON.stringify(problemOf(mistake(error), requestId));
  socket.end(
    [
      'HTTP/1.1 400 Bad Request',
      `X-Request-Id: ${requestId}`,
      'Content-Type: application/problem+json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function mistake({ code }: NodeJS.ErrnoException): AppError {
  const message =
    code === 'HPE_HEADER_OVERFLOW'
      ? `The request line and the headers together are longer than ${headLimitBytes} bytes. Put a long filter into the body of an export.`
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'The head of the request did not come in time.'
        : 'What came is not HTTP/1.1.';
  return new AppError('bad_request', message);
}

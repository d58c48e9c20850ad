import { once } from 'node:events';
import type { Response } from 'express';

/**
 * Sends pieces of text, as fast as the client takes them, and ends the reply; the status and the headers are the caller's. A
 * client who goes ends it without an error.
 *
 * Any other error comes through. By then a part may have been sent: errorHandler() cuts the connection, so that it looks like
 * no whole reply.
 */
export async function sendPieces(response: Response, pieces: AsyncIterable<string>): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  // Writing to a connection that is just breaking is an error of its own; it is followed by its end.
  response.on('error', () => {});
  if (response.closed) return;
  for await (const piece of pieces) {
    if (!gone.signal.aborted && !response.write(piece)) {
      await once(response, 'drain', { signal: gone.signal }).catch(() => {});
    }
    if (gone.signal.aborted) return;
  }
  response.end();
}

import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { type Caller, RefusedError } from '../call-api.ts';
import { DemoError } from './demo-error.ts';

/**
 * Sends NDJSON to POST /v1/events/batch as one stream. What is sent waits for the API: no more is held than it has asked for.
 * @param onSent is told of each piece once it was handed over
 * @returns how many events the API took
 * @throws RefusedError when it refuses a line; then it has kept none
 */
export async function sendEvents<Piece extends string | Uint8Array>(
  { url, key }: Caller,
  pieces: Iterable<Piece> | AsyncIterable<Piece>,
  { signal, onSent }: { signal: AbortSignal; onSent(piece: Piece): void },
): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' };
  const outgoing = request(`${url}/v1/events/batch`, { method: 'POST', headers, signal });
  const answered = once(outgoing, 'response');
  // Awaited below; a refusal in the middle of the stream must not count as unhandled meanwhile.
  answered.catch(() => {});
  let isAnswered = false;
  outgoing.once('response', () => {
    isAnswered = true;
  });
  for await (const piece of pieces) {
    // An answer before the end is a refusal: nothing more needs to be sent.
    if (isAnswered) break;
    if (!outgoing.write(piece)) await Promise.race([once(outgoing, 'drain', { signal }), answered]);
    onSent(piece);
  }
  outgoing.end();
  const [response] = await answered;
  const body = await text(response);
  if (response.statusCode !== 201) throw new RefusedError('POST /v1/events/batch', response.statusCode, body);
  const { accepted } = (JSON.parse(body) as { data: { accepted: number } }).data;
  if (accepted === 0) throw new DemoError('There are no events to load.');
  return accepted;
}

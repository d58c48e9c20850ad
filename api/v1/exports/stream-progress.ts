import { setTimeout as delay } from 'node:timers/promises';
import type { Response } from 'express';
import { exportStatuses, isFinal } from '../../../prisma/exports/find.ts';
import type { ExportRow } from '../../../prisma/exports/view.ts';
import { isStopping } from '../../http/requests-under-way.ts';

/** Milliseconds after which an EventSource whose connection was lost asks again. */
const retryMs = 2_000;

/** A `progress` event comes at least this often, whether something has changed or not: it also keeps proxies awake. */
export const everyMs = 500;

export type ProgressSource = { reload(): Promise<ExportRow>; view(row: ExportRow): Promise<object> };

/**
 * Streams an export as server-sent events (the EventSource format of HTML): `progress` until it has ended, then one event
 * named by how it did, and the end of the reply. Ends when the client goes, and when the process stops: an EventSource then
 * asks again, and another process answers. One that asks again after it has heard of the end gets a 204, by which it asks no
 * more (HTML, "server-sent events": only a 204 ends that).
 */
export async function streamProgress(row: ExportRow, response: Response, source: ProgressSource): Promise<void> {
  if (hasHeardTheEnd(response)) return void response.status(204).end();
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // nginx would hold events back.
    'X-Accel-Buffering': 'no',
  });
  // HEAD asks for the headers of a stream that may take hours.
  if (response.req.method === 'HEAD') return void response.end();
  const send = async (event: string, each: ExportRow) =>
    response.write(
      `id: ${each.status}\nevent: ${event}\nretry: ${retryMs}\ndata: ${JSON.stringify(await source.view(each))}\n\n`,
    );
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  // One that hung up before this is not heard again.
  if (response.closed) gone.abort();
  let latest = row;
  while (!isFinal(latest.status) && !gone.signal.aborted) {
    // Progress that a client does not take is not kept for it.
    if (!response.writableNeedDrain) await send('progress', latest);
    if (isStopping(response)) return void response.end();
    await delay(everyMs, undefined, { signal: gone.signal }).catch(() => {});
    latest = await source.reload();
  }
  if (gone.signal.aborted) return;
  await send(latest.status, latest);
  response.end();
}

/** Whether the last event that the client has had is the one that ends a stream. */
function hasHeardTheEnd({ req }: Response): boolean {
  const status = exportStatuses.find((each) => each === req.get('last-event-id'));
  return status !== undefined && isFinal(status);
}

import { once } from 'node:events';
import type { Response } from 'express';
import { attachment } from '../../core/exports/content-disposition.ts';
import type { ExportContent } from '../../core/exports/exports.ts';
import type { RowChunk } from '../../core/exports/row-chunk.ts';
import { contentType } from '../../core/exports/stored-file.ts';
import type { Holding } from '../../core/limits/byte-budget.ts';
import { compactTimestamp, now } from '../../core/times.ts';

/** How far a stream got: rows are counted when they are handed to the connection. */
export type Sent = { rows: number; neutralizedCells: number; complete: boolean };

/** Declared before the body and sent behind it, as only then the rows have been counted. */
const rowsTrailer = 'Logferry-Rows';

/** What the headers of a stream of events say. Without `fileName` it gets the one that LogProof gives. */
export type StreamHead = { content: ExportContent; asOfSequence: number; fileName?: string };

/** Sets the headers of a stream of events: the type as LogProof has it, a file name, and the number up to which it goes. */
export function setStreamHeaders(response: Response, { content, asOfSequence, fileName }: StreamHead): void {
  const name = `events-export-${compactTimestamp(now())}.${content.format}`;
  const headers = {
    'Content-Type': contentType(content),
    'Content-Disposition': fileName === undefined ? `attachment; filename="${name}"` : attachment(fileName),
    'Cache-Control': 'no-store',
    'Logferry-As-Of-Sequence': String(asOfSequence),
    // nginx would keep the first rows back.
    'X-Accel-Buffering': 'no',
    // Node refuses to announce one where there can be none: HTTP/1.0 has no chunks, and HEAD no body.
    ...(mayHaveTrailer(response) && { Trailer: rowsTrailer }),
  };
  // setHeader, as Express would add a charset to the type.
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

const mayHaveTrailer = ({ req }: Response): boolean => req.httpVersion === '1.1' && req.method !== 'HEAD';

/**
 * Sends the pieces, as fast as the client takes them, and ends the reply. `sent` says how far it got, whatever happens.
 * `holding` is told of what the client has not taken. `idleLimitMs` is the time in which a client must take something; one who does not is cut off.
 *
 * A client who goes ends it without an error. Any other error comes through with the connection cut: what was sent must
 * not look like the whole.
 * @param open begins the reading; its signal is aborted when nobody takes any more
 */
export async function sendRows(
  response: Response,
  open: (signal: AbortSignal) => AsyncIterable<RowChunk>,
  { sent, idleLimitMs, holding }: { sent: Sent; idleLimitMs: number; holding: Holding },
): Promise<void> {
  const gone = watchOver(response, idleLimitMs);
  try {
    response.flushHeaders();
    for await (const { bytes, rows, neutralizedCells = 0, giveBack } of open(gone)) {
      gone.throwIfAborted();
      sent.rows += rows;
      sent.neutralizedCells += neutralizedCells;
      if (bytes.length === 0) continue;
      holding.note('replies', bytes.length);
      const isTaken = response.write(bytes, (error) => {
        holding.give('replies', bytes.length);
        // What could not be written may still be read by the connection that breaks.
        if (!error) giveBack?.();
      });
      if (!isTaken) await once(response, 'drain', { signal: gone });
    }
    gone.throwIfAborted();
    response.addTrailers({ [rowsTrailer]: String(sent.rows) });
    response.end();
    if (!response.writableFinished) await once(response, 'finish', { signal: gone });
    sent.complete = true;
  } catch (error) {
    // The request log has it.
    if (gone.aborted) return;
    response.destroy();
    throw error;
  }
}

/** Aborted when the client has gone, or was cut off. */
function watchOver(response: Response, idleLimitMs: number): AbortSignal {
  const gone = new AbortController();
  const abort = () => gone.abort(new Error('The client has gone'));
  response.once('close', abort);
  // Writing to a connection that is just breaking is an error of its own; it is followed by its end.
  response.on('error', () => {});
  response.setTimeout(idleLimitMs, () => {
    // It is not the client's fault when there was nothing to take.
    if (response.writableLength > 0) response.destroy();
  });
  if (response.closed) abort();
  return gone.signal;
}

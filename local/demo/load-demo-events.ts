import { createReadStream, statSync } from 'node:fs';
import { demoEvents } from './demo-events.ts';
import type { DemoSource } from './demo-options.ts';
import { type Demo, days, type Tenant } from './demo-steps.ts';
import { count, indent, moreLine, rate, seconds, size, stepLine } from './demo-text.ts';
import { progressBar } from './progress-bar.ts';
import { sendEvents } from './send-events.ts';

/** Sends the events to the tenant's log, with a bar. @throws DemoError, RefusedError */
export async function loadEvents({ screen, signal }: Demo, tenant: Tenant, source: DemoSource): Promise<void> {
  screen.write(stepLine(3, 'Load', 'POST /v1/events/batch, one stream of NDJSON'));
  const bar = progressBar(screen, indent);
  const started = performance.now();
  const { pieces, total, measure, unit } = piecesOf(source);
  let sent = 0;
  const onSent = (piece: string | Buffer) => {
    sent += measure(piece);
    bar.show(sent / total, sent < total ? `${unit(sent)} of ${unit(total)} sent` : 'all sent; they are being chained');
  };
  const accepted = await sendEvents(tenant, pieces, { signal, onSent });
  bar.clear();
  const ms = performance.now() - started;
  screen.write(moreLine(`${count(accepted)} events in ${seconds(ms)}: ${rate(accepted, ms)} a second`));
}

/** What is sent, and how far it is: in bytes of the file, or in lines that were made. */
function piecesOf(source: DemoSource) {
  if ('file' in source) {
    const pieces: AsyncIterable<string | Buffer> = createReadStream(source.file, { highWaterMark: 256 * 1024 });
    return { pieces, total: statSync(source.file).size, measure: (piece: string | Buffer) => piece.length, unit: size };
  }
  const pieces: Iterable<string | Buffer> = demoEvents({ rows: source.rows, seed: 1, until: new Date(), days });
  const lines = (piece: string | Buffer) => piece.toString().split('\n').length - 1;
  return { pieces, total: source.rows, measure: lines, unit: count };
}

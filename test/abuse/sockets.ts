import { connect, type Socket } from 'node:net';
import type { Stage } from './attack.ts';
import { count } from './flood.ts';

/**
 * Opens so many connections that each send `bytes` and then nothing, and never read what comes unless `reads`. One that the server
 * closes is opened again, until the attack ends.
 */
export function holdOpen(stage: Stage, connections: number, bytes: () => Buffer | string, { reads = true } = {}): void {
  for (let n = 0; n < connections; n++) openOne(stage, bytes, reads);
}

function openOne(stage: Stage, bytes: () => Buffer | string, reads: boolean): void {
  const { hostname, port } = new URL(stage.target.url);
  const socket = connect(Number(port), hostname);
  stage.sockets.add(socket);
  socket.on('error', () => {});
  socket.once('connect', () => socket.write(bytes()));
  if (reads) socket.on('data', (data) => countStatus(stage, data));
  socket.once('close', () => {
    stage.sockets.delete(socket);
    if (stage.signal.aborted) return;
    count(stage.tally, 'closed');
    // Not at once, or a server that refuses connections would be asked in a circle that leaves us no time.
    setTimeout(() => !stage.signal.aborted && openOne(stage, bytes, reads), 100);
  });
}

function countStatus({ tally }: Stage, data: Buffer): void {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1', 0, 20))?.[1];
  if (status) count(tally, status);
}

/** The head of a request as it stands on the wire. */
export const headOf = (line: string, headers: Record<string, string>): string =>
  `${line} HTTP/1.1\r\nHost: logferry\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

/** Destroys what an attack has left open. */
export function destroyAll(sockets: Set<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

const bufferBytes = 64 * 1024;
/**
 * Milliseconds until it is read again after a read that brought less than half of what fits. PostgreSQL sends 8 KiB at a
 * time, and waking up for each took more of both cores than the rows did: a million rows of CSV cost this process 2.1 s of
 * CPU, and cost 1.0 s with this rest, by which they also come sooner. What is sent meanwhile waits in the kernel.
 */
const restMs = 1;

/** Sockets whose bytes are looked at in the buffer that they were read into, which is used again. */
const lending = new WeakSet<Readable>();

/**
 * A socket for a connection that brings rows by the million. Node reads each 64 KiB into a buffer of its own, which V8 then
 * has to find unused: a worker with a few of these took some 50 MiB more. This one reads into a single buffer, and gives
 * copies of it to all who have not promised to keep nothing (lendBytes).
 *
 * pg asks for it before it connects. TLS wraps a socket and reads from it without us, so it gets an ordinary one.
 */
export function scanSocket({ ssl }: { ssl?: unknown } = {}): Socket {
  if (ssl) return new Socket();
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const onread = {
    buffer,
    callback(length: number): boolean {
      const bytes = buffer.subarray(0, length);
      socket.emit('data', lending.has(socket) ? bytes : Buffer.from(bytes));
      if (length < bufferBytes / 2 && lending.has(socket)) return rest(socket);
      return !socket.isPaused();
    },
  };
  // The constructor takes what connect() takes, which its types do not say.
  const socket: Socket = new Socket({ onread } as object);
  return socket;
}

/** @returns false, by which Node reads no further */
function rest(socket: Socket): false {
  setTimeout(() => {
    if (!socket.isPaused() && !socket.destroyed) socket.resume();
  }, restMs);
  return false;
}

/** From now on who listens keeps nothing of what it gets. */
export const lendBytes = (stream: Readable): unknown => lending.add(stream);

/** Who listens from now on may keep what it gets. */
export const lendNoMore = (stream: Readable): unknown => lending.delete(stream);

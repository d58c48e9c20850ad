import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { mostPipelined } from '../../core/limits/replies.ts';

/**
 * Has the requests of one connection handled one after the other, in the order in which they came. Replies go out in that order
 * anyway (RFC 9112 section 9.3.2), so one that is made early only waits in memory. While one is handled and another waits, the
 * connection is not read.
 * @param cut is told of a connection that sent more requests ahead than anybody has use for; it is destroyed
 */
export function inTurn(handle: RequestListener, cut: () => void): RequestListener {
  const lines = new WeakMap<Socket, (() => void)[]>();
  const beginNext = (socket: Socket, line: (() => void)[]) => {
    const next = socket.destroyed ? undefined : line.shift();
    if (!next) return void lines.delete(socket);
    if (line.length === 0) socket.resume();
    next();
  };
  return (request, response) => {
    const { socket } = request;
    const line = lines.get(socket);
    const begin = (own: (() => void)[]) => {
      response.once('close', () => beginNext(socket, own));
      handle(request, response);
    };
    if (!line) {
      const own: (() => void)[] = [];
      lines.set(socket, own);
      return begin(own);
    }
    if (socket.destroyed) return;
    if (line.length >= mostPipelined) {
      cut();
      socket.destroy();
      return;
    }
    line.push(() => begin(line));
    socket.pause();
  };
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { inTurn } from '../../../api/http/in-turn.ts';
import { mostPipelined } from '../../../core/limits/replies.ts';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A server whose requests are in the list once they are handled, and one connection to it. */
async function serve() {
  const handled: { request: IncomingMessage; response: ServerResponse }[] = [];
  let cuts = 0;
  server = createServer(
    inTurn(
      (request, response) => void handled.push({ request, response }),
      () => cuts++,
    ),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const urls = () => handled.map(({ request }) => request.url);
  return { handled, urls, socket, cuts: () => cuts };
}

const ask = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;

it('Requests that come at once on a connection are handled one after the other, with their bodies', async () => {
  const { handled, urls, socket } = await serve();
  const post = 'POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';
  socket.write(ask('/1') + post + ask('/3', 'Connection: close\r\n'));
  await expect.poll(urls).toEqual(['/1']);
  handled[0]!.response.end('one');
  await expect.poll(urls).toEqual(['/1', '/2']);
  expect(await text(handled[1]!.request)).toBe('body');
  handled[1]!.response.end('two');
  await expect.poll(urls).toEqual(['/1', '/2', '/3']);
  handled[2]!.response.end('three');
  expect((await text(socket)).match(/(?<=\r\n\r\n)[a-z]+/g)).toEqual(['one', 'two', 'three']);
});

it('A connection that sends more ahead than anybody has use for is cut', async () => {
  const { urls, socket, cuts } = await serve();
  socket.on('error', () => {});
  socket.write(ask('/1') + ask('/ahead').repeat(mostPipelined + 1));
  await once(socket.resume(), 'close');
  expect([urls(), cuts()]).toEqual([['/1'], 1]);
});

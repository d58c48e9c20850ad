import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express from 'express';
import { expect, it } from 'vitest';
import { errorHandler } from '../../../api/http/error-handler.ts';
import { logRequests } from '../../../api/http/request-log.ts';
import { sendPieces } from '../../../api/http/send-pieces.ts';
import { makeLog } from '../../../core/log.ts';

/** Serves what `pieces` gives. */
async function serve(pieces: () => AsyncGenerator<string>) {
  const log = makeLog('silent');
  const app = express().use(logRequests(log));
  app.get('/', (_request, response) => sendPieces(response.type('json'), pieces()));
  app.use(errorHandler(log));
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
}

it('What fails in the midst of a reply cuts it, so that no client takes the part for the whole; what fails before is an error', async () => {
  let failAt = 1;
  const { url, close } = await serve(async function* () {
    if (failAt === 0) throw new Error('nothing could be read');
    yield '[1';
    throw new Error('the database has gone');
  });
  await expect(fetch(url).then((reply) => reply.text())).rejects.toThrow();
  failAt = 0;
  expect((await fetch(url)).status).toBe(500);
  close();
});

it('No more is read than the client takes, and nothing once it has gone', async () => {
  const piece = 'x'.repeat(1024 * 1024);
  let read = 0;
  let ended = false;
  const { port, close } = await serve(async function* () {
    try {
      for (; read < 200; read++) yield piece;
    } finally {
      ended = true;
    }
  });
  const socket = connect(port, '127.0.0.1').pause();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await expect.poll(() => read).toBeGreaterThan(0);
  socket.destroy();
  await expect.poll(() => ended).toBe(true);
  expect(read).toBeLessThan(50);
  close();
});

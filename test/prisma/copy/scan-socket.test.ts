import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { lendBytes, lendNoMore, scanSocket } from '../../../prisma/copy/scan-socket.ts';

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

/** A scan socket, and the other end of it. */
async function connected(): Promise<{ socket: Socket; server: Socket }> {
  const listener = createServer();
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const socket = scanSocket();
  socket.connect(port, '127.0.0.1');
  const [server] = await accepted;
  opened.push(() => {
    socket.destroy();
    server.destroy();
    listener.close();
  });
  return { socket, server };
}

/** Ends when so many bytes have come; gives the chunks as they were handed over. */
async function taken(socket: Socket, bytes: number): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  let length = 0;
  await new Promise<void>((resolve) => {
    socket.on('data', function take(chunk: Buffer) {
      chunks.push(chunk);
      length += chunk.length;
      if (length < bytes) return;
      socket.off('data', take);
      resolve();
    });
  });
  return chunks;
}

const text = (length: number, from: number) => Buffer.from(Array.from({ length }, (_, i) => (from + i) % 251));

it('gives copies to those who may keep them', async () => {
  const { socket, server } = await connected();
  const sent = text(500_000, 0);
  server.write(sent);
  expect(Buffer.concat(await taken(socket, sent.length)).equals(sent)).toBe(true);
});

it('lends one buffer to those who keep nothing, and loses no byte while it rests', async () => {
  const { socket, server } = await connected();
  lendBytes(socket);
  const seen: number[] = [];
  const buffers = new Set<ArrayBufferLike>();
  socket.on('data', (bytes: Buffer) => {
    seen.push(...bytes);
    buffers.add(bytes.buffer);
  });
  const sent = text(50_000, 7);
  for (let at = 0; at < sent.length; at += 500) server.write(sent.subarray(at, at + 500));
  await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(sent.length);
  expect(Buffer.from(seen).equals(sent)).toBe(true);
  const [lent, ...others] = buffers;
  expect(others).toEqual([]);

  lendNoMore(socket);
  server.write('kept');
  const [kept] = await taken(socket, 4);
  expect(kept!.buffer).not.toBe(lent);
});

it('brings nothing while it is paused, and all of it afterwards', async () => {
  const { socket, server } = await connected();
  lendBytes(socket);
  let length = 0;
  socket.on('data', (bytes: Buffer) => {
    length += bytes.length;
    socket.pause();
  });
  const sent = text(8_000_000, 3);
  server.write(sent);
  await expect.poll(() => length).toBeGreaterThan(0);
  const before = length;
  // The server is stuck behind a full buffer: nothing but a resume brings more.
  await expect.poll(() => server.writableLength).toBeGreaterThan(0);
  expect(length).toBe(before);
  socket.on('pause', () => setImmediate(() => socket.resume()));
  socket.resume();
  await expect.poll(() => length, { timeout: 10_000 }).toBe(sent.length);
});

it('ends as other sockets do', async () => {
  const { socket, server } = await connected();
  lendBytes(socket);
  socket.resume();
  server.end('the last');
  await once(socket, 'end');
});

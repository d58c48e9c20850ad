import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express, { type Response } from 'express';
import { expect, it } from 'vitest';
import { cutUnread } from '../../../api/http/cut-unread.ts';
import { makeMetrics } from '../../../core/metrics.ts';
import { readMetrics, valueIn } from '../../core/read-metrics.ts';

const limitMs = 300;

it('A client that takes nothing of its reply is cut off, and one that has nothing to take is not', async () => {
  const metrics = makeMetrics();
  const replies = new Map<string, Response>();
  const app = express().use(cutUnread(metrics, limitMs), (request, response) => {
    replies.set(request.path, response);
    if (request.path === '/large') response.end(Buffer.alloc(32 * 1024 * 1024));
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open = (path: string) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return socket;
  };
  const waits = open('/waits');
  await expect.poll(() => replies.size).toBe(1);
  open('/large');
  await expect.poll(() => replies.get('/large')?.destroyed).toBe(true);
  const cut = async () =>
    valueIn(readMetrics((await metrics.scrape()).text), 'logferry_http_cut_total', { reason: 'unread' });
  expect(await cut()).toBe(1);
  // It has been silent for longer.
  replies.get('/waits')!.end('here it is');
  const [answer] = await once(waits.resume(), 'data');
  expect(String(answer)).toContain('here it is');
  server.closeAllConnections();
  server.close();
});

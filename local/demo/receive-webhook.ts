import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A message as it came, before anything in it is believed. */
export type WebhookMessage = { headers: Record<string, string>; body: string };

export type WebhookInbox = {
  url: string;
  /** The first message, also if it has come before. @throws the reason of `signal` */
  first(signal: AbortSignal): Promise<WebhookMessage>;
  close(): Promise<void>;
};

/** An HTTP server on a free port of 127.0.0.1 that takes what is posted to it and answers 204. */
export async function openWebhookInbox(): Promise<WebhookInbox> {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<WebhookMessage>();
  const server = createServer(async (request, response) => {
    const body = await text(request);
    response.writeHead(204).end();
    arrive({ headers: request.headers as Record<string, string>, body });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`,
    first: (signal) => Promise.race([arrived, untilAborted(signal)]),
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

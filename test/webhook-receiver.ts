import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type ReceivedMessage = { headers: Record<string, string>; body: string; request: IncomingMessage };

export type WebhookReceiver = {
  url: string;
  port: number;
  /** What came in, oldest first. */
  received: ReceivedMessage[];
  /** TCP connections that were opened, whatever came over them. */
  connections(): number;
  close(): Promise<void>;
};

/**
 * A real HTTP server on a free port of loopback, which keeps what it gets. `answer` is given each message when its body
 * has come, with its number from 1; without it all are answered 204.
 */
export async function startWebhookReceiver(
  answer: (response: ServerResponse, nth: number) => void = (response) => response.writeHead(204).end(),
  tls?: { key: string; cert: string },
): Promise<WebhookReceiver> {
  const received: ReceivedMessage[] = [];
  let connections = 0;
  const listener: RequestListener = async (request, response) => {
    const body = await text(request);
    received.push({ headers: request.headers as Record<string, string>, body, request });
    answer(response, received.length);
  };
  const server = tls ? createSecureServer(tls, listener) : createServer(listener);
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    port,
    received,
    connections: () => connections,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

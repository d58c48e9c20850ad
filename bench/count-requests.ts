import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export type RequestCounter = { url: string; count(): number; close(): Promise<void> };

/** Stands before an HTTP server, hands everything on, and counts requests. What it takes is not part of any time. */
export async function countRequests(target: string): Promise<RequestCounter> {
  const { hostname, port } = new URL(target);
  let requests = 0;
  const server = createServer((incoming, response) => {
    requests++;
    const { method, url: path, headers } = incoming;
    const outgoing = request({ hostname, port, method, path, headers }, (reply) => {
      response.writeHead(reply.statusCode!, reply.headers);
      reply.pipe(response);
    });
    outgoing.once('error', () => response.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of key sets on this machine, which says how often it was asked. */
export async function serveJwks(set: object) {
  let answer: RequestListener = (_request, response) => response.end(JSON.stringify(set));
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    answer(request, response);
  });
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/.well-known/jwks.json`,
    asked: () => asked,
    /** From now on it answers with this set, or as the function does. */
    serve(next: object | RequestListener) {
      answer =
        typeof next === 'function'
          ? (next as RequestListener)
          : (_request, response) => response.end(JSON.stringify(next));
    },
    /** It goes away: nobody listens. */
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    resume: () => listen(port),
  };
}

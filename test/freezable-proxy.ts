import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands in front of a server of TCP, and can become a black hole: connections stay and are taken, and nothing comes through; or a closed door. */
export type FreezableProxy = {
  /** The URL that was given, with the host and port of this. */
  url: string;
  /** `newOnes: false`: only the connections that there are, as by a firewall that has forgotten them. */
  freeze(options?: { newOnes?: boolean }): void;
  /** Ends the connections that there are, and each new one as soon as it is made. */
  refuse(): void;
  /** Everything comes through again. */
  thaw(): void;
  close(): Promise<void>;
};

export async function startFreezableProxy(target: string): Promise<FreezableProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  let isRefusing = false;
  const watch = (socket: Socket) => {
    sockets.add(socket);
    // Whoever is behind it hears of it by its own socket.
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    if (isFrozen) socket.pause();
    return socket;
  };
  const server = createServer((near) => {
    if (isRefusing) return void near.destroy();
    const far = watch(connect(Number(port), hostname));
    watch(near);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => to.write(chunk));
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
      if (isFrozen) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = { hostname: '127.0.0.1', port: String((server.address() as AddressInfo).port) };
  return {
    url: Object.assign(new URL(target), near).href,
    freeze({ newOnes = true } = {}) {
      isFrozen = newOnes;
      for (const socket of sockets) socket.pause();
    },
    refuse() {
      isRefusing = true;
      for (const socket of sockets) socket.destroy();
    },
    thaw() {
      isRefusing = false;
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

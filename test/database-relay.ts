import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a database that can be shut and opened again, as a network or a server that restarts. */
export type DatabaseRelay = {
  url: string;
  /** Breaks every connection, and takes none until it is opened. */
  shut(): void;
  open(): Promise<void>;
};

export async function relayTo(databaseUrl: string): Promise<DatabaseRelay> {
  const { hostname, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const join = (client: Socket) => {
    const server = connect(Number(port), hostname);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  };
  let listening: Server | undefined;
  const listen = async (at: number) => {
    listening = createServer(join).listen(at, '127.0.0.1');
    await once(listening, 'listening');
    return (listening.address() as { port: number }).port;
  };
  const own = await listen(0);
  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(own) }).href,
    shut() {
      listening?.close();
      listening = undefined;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async open() {
      await listen(own);
    },
  };
}

import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { findFreePort } from '../free-port.ts';
import { type OwnProcess, startOwnProcess } from './own-process.ts';

/** As Logferry wants it: nothing is evicted, what was taken is in a file; and a database for each test file that asks. */
export const redisArguments = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--databases', '4096'];

/** Redis as a process, on a free port of 127.0.0.1. @throws Error if there is no redis-server */
export async function startSharedRedis(): Promise<OwnProcess & { url: string }> {
  const port = await findFreePort();
  const server = await startOwnProcess({
    name: 'redis',
    program: 'redis-server',
    args: (directory) => ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...redisArguments],
    isReady: () => isRedisReady(port),
    deadlineMs: 30_000,
  });
  return { ...server, url: `redis://127.0.0.1:${port}` };
}

/** Redis answers commands by the line, without any protocol around them. */
export async function isRedisReady(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1').setTimeout(2000, () => socket.destroy());
  await once(socket, 'connect');
  socket.end('PING\r\nQUIT\r\n');
  return (await text(socket)).startsWith('+PONG');
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../core/config.ts';
import { queueEngineOf } from '../core/engines.ts';
import { readinessChecks } from '../core/health.ts';
import { headLimitBytes, headTimeoutMs } from '../core/limits/bodies.ts';
import type { Log } from '../core/log.ts';
import { openRedisCounter, type RedisCounter } from '../core/queue/redis-counter.ts';
import { StartError } from '../core/stop-signals.ts';
import type { Deployment } from '../prisma/deployment.ts';
import { openStoreRoom } from '../prisma/exports/store-room.ts';
import { openRefusals } from './access/refusals.ts';
import { buildApp } from './app.ts';
import { answerUnreadable } from './http/answer-unreadable.ts';
import { inTurn } from './http/in-turn.ts';
import { watchRequests } from './http/requests-under-way.ts';
import { openServedFiles } from './served-files.ts';
import { openEventStreams } from './streams/event-streams.ts';

export type RunningApi = {
  port: number;
  /**
   * Takes no more connections, lets requests under way end, and cuts those that do not within a few seconds. Before that it
   * serves on for `drainMs` while /readyz says that it stops: load balancers hear of it a moment later than we do.
   */
  stop(options?: { drainMs?: number }): Promise<void>;
};

/** Milliseconds that a stopping API gives requests under way, such as downloads and event streams. */
const graceMs = 5_000;

/** Requests are counted where the queue is, if that is made for it. */
const openCounter = ({ QUEUE_URL, LOGFERRY_RATE_LIMIT }: Config, log: Log): RedisCounter | undefined =>
  QUEUE_URL && queueEngineOf(QUEUE_URL) === 'redis' && LOGFERRY_RATE_LIMIT > 0
    ? openRedisCounter(QUEUE_URL, log)
    : undefined;

/** Serves the API. @throws StartError when the port is taken */
export async function startApi(deployment: Deployment): Promise<RunningApi> {
  const { config } = deployment;
  let isStopping = false;
  const stopping = {
    name: 'process',
    async check() {
      if (isStopping) throw new Error('The process was told to stop');
    },
  };
  const storeRoom = openStoreRoom(deployment.database, config.LOGFERRY_STORE_LIMIT);
  const checks = [...readinessChecks({ ...deployment, room: storeRoom }, 'api'), stopping];
  const counter = openCounter(config, deployment.log);
  const streams = openEventStreams(deployment);
  const refusals = openRefusals(deployment);
  const servedFiles = openServedFiles(deployment.database.prisma, deployment.log);
  const app = buildApp({ ...deployment, checks, streams, refusals, servedFiles, storeRoom, counter });
  const server = createServer(
    { maxHeaderSize: headLimitBytes, connectionsCheckingInterval: headTimeoutMs / 2 },
    inTurn(app, () => deployment.metrics.add('logferry_http_cut_total', 1, { reason: 'pipelined' })),
  );
  const requests = watchRequests(server);
  server.on('clientError', answerUnreadable);
  // Streams of events come for as long as their sender likes; a request's head and an idle connection have limits still.
  server.requestTimeout = 0;
  server.headersTimeout = headTimeoutMs;
  // A load balancer that keeps a connection for longer than we do sends requests into one that is just being closed.
  server.keepAliveTimeout = config.LOGFERRY_KEEP_ALIVE_SECONDS * 1000;
  server.listen(config.PORT, config.HOST);
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    counter?.close();
    if (error.code !== 'EADDRINUSE') throw error;
    throw new StartError(
      `Port ${config.PORT} of ${config.HOST} is taken. End what listens there, or set PORT to another one.`,
    );
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop({ drainMs = 0 } = {}) {
      isStopping = true;
      requests.tellStopping();
      await delay(drainMs);
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
      await streams.settled();
      await Promise.all([refusals.flush(), servedFiles.flush()]);
      counter?.close();
    },
  };
}

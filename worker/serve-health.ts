import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from '../core/config.ts';
import { type HealthReply, liveness, readiness, readinessChecks } from '../core/health.ts';
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import { StartError } from '../core/stop-signals.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';
import packageJson from '../package.json' with { type: 'json' };
import type { Database } from '../prisma/client.ts';
import type { LogsCheck } from '../prisma/log/contradictions.ts';
import type { SchemaCheck } from '../prisma/schema-check.ts';

export type HealthDeps = {
  config: Pick<Config, 'HOST' | 'LOGFERRY_SWEEP_SECONDS' | 'WORKER_PORT'>;
  database: Database;
  store: ObjectStore;
  queue: Queue;
  log: Log;
  metrics: Metrics;
  schema: Pick<SchemaCheck, 'check'>;
  logs: LogsCheck;
};

/**
 * Milliseconds without any sign of life, past the one that is due, after which a worker counts as stuck. Longer than a
 * connection that died unheard keeps anybody waiting, since a worker must not be killed for what a database does.
 */
const stuckAfterMs = 1_800_000;

/**
 * Serves /livez, /readyz and /metrics of a worker that runs on its own, at WORKER_PORT, if that is set.
 *
 * A process whose event loop is blocked answers nothing, which says enough; /livez adds the case that it answers and works no
 * more. It says nothing of the database, the queue or the storage: no restart would repair those.
 * @param silentMs milliseconds since the worker's last sign of life
 * @returns the port, and what ends it; undefined without WORKER_PORT
 * @throws StartError when the port is taken
 */
export async function serveHealth(
  deps: HealthDeps,
  silentMs: () => number,
): Promise<{ port: number; stop(): Promise<void> } | undefined> {
  const { HOST, WORKER_PORT } = deps.config;
  if (WORKER_PORT === undefined) return undefined;
  const server = createServer(answer(deps, silentMs));
  server.listen(WORKER_PORT, HOST);
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new StartError(
      `Port ${WORKER_PORT} of ${HOST} is taken. End what listens there, or set WORKER_PORT to another one.`,
    );
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(deps: HealthDeps, silentMs: () => number): RequestListener {
  const { config, metrics, log } = deps;
  metrics.set('logferry_build_info', 1, { version: packageJson.version });
  const askReadiness = readiness(readinessChecks(deps, 'worker'), log);
  const askLiveness = async () => {
    const silence = silentMs();
    return liveness(silence > stuckAfterMs + config.LOGFERRY_SWEEP_SECONDS * 1000 ? silence : undefined);
  };
  const routes = new Map<string, (response: ServerResponse) => Promise<void>>([
    ['/livez', async (response) => sendHealth(response, await askLiveness())],
    ['/readyz', async (response) => sendHealth(response, await askReadiness())],
    [
      '/metrics',
      async (response) => {
        const { contentType, text } = await metrics.scrape();
        response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' }).end(text);
      },
    ],
  ]);
  return (request, response) => {
    const route = routes.get(request.url!.split('?', 1)[0]!);
    if (!route) return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    }
    route(response).catch((err) => {
      log.error({ err, path: request.url }, 'request failed');
      response.destroy();
    });
  };
}

function sendHealth(response: ServerResponse, { status, headers, body }: HealthReply): void {
  response.writeHead(status, { ...headers, 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

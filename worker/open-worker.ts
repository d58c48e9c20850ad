import { within } from '../core/async/within.ts';
import type { Config } from '../core/config.ts';
import type { Metrics } from '../core/metrics.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { serveHealth } from './serve-health.ts';
import { type RunningWorker, startWorker } from './start-worker.ts';

/**
 * Milliseconds for the worker: everything in it has limits of its own, which add up to less. What it cannot hand back,
 * because the database is away, others take over when its leases have run out.
 */
const stopLimitMs = 7_500;

/** All that a worker process has: its work, its health, and what both stand on. */
export type OpenWorker = { metrics: Metrics; stop(): Promise<void> };

/**
 * Opens the deployment, serves the worker's health, and works from when the schema can be used.
 * @param opened is called before the log says that the worker runs: whoever reads that may stop it at once
 * @throws ConfigError and StartError, whose messages are for the user
 */
export async function openWorker(config: Config, opened: (worker: OpenWorker) => void): Promise<void> {
  const deployment = await openDeployment(config);
  const { log, metrics } = deployment;
  let worker: RunningWorker | undefined;
  const health = await serveHealth(deployment, () => worker?.silentMs() ?? 0);
  await deployment.schema.untilUsable();
  const running = await startWorker(deployment);
  worker = running;
  opened({
    metrics,
    async stop() {
      log.info('worker stops');
      await within(stopLimitMs, 'the stop of the worker', running.stop()).catch((err) =>
        log.warn(
          { err },
          'worker stopped before it could hand everything over; others take over when its leases run out',
        ),
      );
      await health?.stop();
      await deployment.close();
    },
  });
  log.info(health && { host: config.HOST, port: health.port }, 'worker runs');
}

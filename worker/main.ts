import { within } from '../core/async/within.ts';
import { readConfig } from '../core/config.ts';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { serveHealth } from './serve-health.ts';
import { type RunningWorker, startWorker } from './start-worker.ts';

/**
 * Milliseconds for the worker: everything in it has limits of its own, which add up to less. What it cannot hand back,
 * because the database is away, others take over when its leases have run out.
 */
const stopLimitMs = 7_500;

/** A worker process. Any number of them may serve one deployment. */
async function main(): Promise<void> {
  const deployment = await openDeployment(readConfig());
  let worker: RunningWorker | undefined;
  const health = await serveHealth(deployment, () => worker?.silentMs() ?? 0);
  await deployment.schema.untilUsable();
  const running = await startWorker(deployment);
  worker = running;
  stopOnSignals(async () => {
    deployment.log.info('worker stops');
    await within(stopLimitMs, 'the stop of the worker', running.stop()).catch((err) =>
      deployment.log.warn(
        { err },
        'worker stopped before it could hand everything over; others take over when its leases run out',
      ),
    );
    await health?.stop();
    await deployment.close();
  });
  deployment.log.info(health && { host: deployment.config.HOST, port: health.port }, 'worker runs');
}

await main().catch(failStart);

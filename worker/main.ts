import { readConfig } from '../core/config.ts';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { startWorker } from './start-worker.ts';

/** A worker process. Any number of them may serve one deployment. */
async function main(): Promise<void> {
  const deployment = await openDeployment(readConfig());
  const worker = await startWorker(deployment);
  deployment.log.info('worker runs');
  stopOnSignals(async () => {
    deployment.log.info('worker stops');
    await worker.stop();
    await deployment.close();
  });
}

await main().catch(failStart);

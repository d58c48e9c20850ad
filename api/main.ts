import { readConfig } from '../core/config.ts';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { startApi } from './start-api.ts';

/** Milliseconds, of the 10 seconds that a stopping process has, for load balancers and Kubernetes to send no more requests. */
const drainMs = 2_000;

/** An API process. Any number of them may serve one deployment. */
async function main(): Promise<void> {
  const deployment = await openDeployment(readConfig());
  const api = await startApi(deployment);
  stopOnSignals(async () => {
    deployment.log.info('API stops');
    await api.stop({ drainMs });
    await deployment.close();
  });
  deployment.log.info({ host: deployment.config.HOST, port: api.port }, 'API listens');
}

await main().catch(failStart);

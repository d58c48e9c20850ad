import { readConfig } from '../core/config.ts';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { openDeployment } from '../prisma/deployment.ts';
import { startApi } from './start-api.ts';

/** An API process. Any number of them may serve one deployment. */
async function main(): Promise<void> {
  const deployment = await openDeployment(readConfig());
  const api = await startApi(deployment);
  deployment.log.info({ host: deployment.config.HOST, port: api.port }, 'API listens');
  stopOnSignals(async () => {
    deployment.log.info('API stops');
    await api.stop();
    await deployment.close();
  });
}

await main().catch(failStart);

import { readConfig } from '../core/config.ts';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { openWorker } from './open-worker.ts';

/** A worker process. Any number of them may serve one deployment. */
async function main(): Promise<void> {
  const worker = await openWorker(readConfig());
  stopOnSignals(worker.stop);
}

await main().catch(failStart);

import { readConfig } from '../core/config.ts';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { openWorker } from './open-worker.ts';

/** A worker process. Any number of them may serve one deployment. */
async function main(): Promise<void> {
  await openWorker(readConfig(), ({ stop }) => stopOnSignals(stop));
}

await main().catch(failStart);

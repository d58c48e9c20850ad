import { readConfig } from '../../core/config.ts';
import { endInOrder, startFailure } from '../../core/stop-signals.ts';
import { type OpenWorker, openWorker } from '../../worker/open-worker.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** Nobody hears it when the other process has just gone: `disconnect` then says so. */
const tell = (message: FromWorker, told = () => {}): void => void process.send?.(message, told);

/**
 * The worker process of `npm start`. It works until the process that started it says so or is gone, however that ended, and
 * does not hear the Ctrl-C that a terminal gives to both: its end is the other's to say.
 */
async function main(): Promise<void> {
  let worker: OpenWorker | undefined;
  // One that has not begun has nothing to hand back.
  const stop = () => (worker ? endInOrder(worker.stop) : process.exit());
  process.on('SIGINT', () => {});
  process.on('SIGTERM', stop);
  process.on('disconnect', stop);
  process.on('message', async ({ type }: ToWorker) => {
    if (type === 'stop') stop();
    else if (worker) tell({ type: 'figures', figures: await worker.metrics.figures() });
  });
  if (!process.connected) stop();
  await openWorker(readConfig(), (opened) => {
    worker = opened;
  });
  tell({ type: 'ready' });
}

await main().catch((error) => tell({ type: 'failed', message: startFailure(error) }, () => process.exit(1)));

import { setTimeout as wait } from 'node:timers/promises';
import { makeLog } from '../../../core/log.ts';
import { QueueAwayError } from '../../../core/queue/queue.ts';
import { openQueue } from '../../../prisma/open-queue.ts';

// Prints whether the queue that is named is ready and takes jobs, or why not. One that is away may only be slow to find out
// that it is refused.
const queue = openQueue(process.argv[2]!, makeLog('silent'));
const tryOnce = () =>
  queue
    .check()
    .then(() => queue.enqueueExport('one'))
    .then(
      () => undefined,
      (thrown: Error) => thrown,
    );
let error = await tryOnce();
for (let tries = 1; error instanceof QueueAwayError && tries < 30; tries++) {
  await wait(100);
  error = await tryOnce();
}
process.stdout.write(`${error ? `${error.name}: ${error.message}` : 'ready'}\n`);
await queue.close();

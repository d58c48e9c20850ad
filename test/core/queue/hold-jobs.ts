import { makeLog } from '../../../core/log.ts';
import { openQueue } from '../../../prisma/open-queue.ts';

// Takes every job for exports of the queue that is named, prints whom it is for, and never answers.
const queue = openQueue(process.argv[2]!, makeLog('warn'));
await queue.consume('exports', 4, async (id) => {
  process.stdout.write(`${id}\n`);
  return new Promise(() => {});
});

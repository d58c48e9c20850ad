import { parentPort } from 'node:worker_threads';
import { AppError } from '../../../core/errors.ts';
import { readBatch } from '../read-batch.ts';
import { readLine } from '../read-line.ts';
import type { ToRead, WasRead } from './messages.ts';

/** The thread that reads large bodies, one at a time. */
parentPort!.on('message', async (asked: ToRead) => parentPort!.postMessage(await read(asked)));

async function read(asked: ToRead): Promise<WasRead> {
  try {
    return { events: 'batch' in asked ? await readBatch(asked.batch) : [readLine(asked.line)] };
  } catch (error) {
    if (!(error instanceof AppError)) return { fault: error };
    const { type, message, errors, members } = error;
    return { refused: { type, message, errors, members } };
  }
}

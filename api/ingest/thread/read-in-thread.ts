import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { AppError } from '../../../core/errors.ts';
import type { NewEvent } from '../../../core/events/event-columns.ts';
import type { Line } from '../read-line.ts';
import type { ToRead, WasRead } from './messages.ts';

/** Bytes from which a body is read in the thread: below, whatever it holds is read in less than 200 ms. */
export const largeBytes = 1024 * 1024;

let thread: Worker | undefined;
let last: Promise<unknown> = Promise.resolve();

/** Reads a batch as readBatch() does, while the event loop goes on. One body after the other, in the order in which they came. */
export const readBatchInThread = (body: Uint8Array): Promise<NewEvent[]> => inTurn(() => ask({ batch: copyOf(body) }));

/** Reads a line as readLine() does, while the event loop goes on. */
export const readLineInThread = async ({ number, bytes }: Line): Promise<NewEvent> =>
  (await inTurn(() => ask({ line: { number, bytes: copyOf(bytes) } })))[0]!;

/** Bytes of their own to be handed over: others may still count those that came. */
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}

async function ask(asked: ToRead): Promise<NewEvent[]> {
  thread ??= startThread();
  const { buffer } = 'batch' in asked ? asked.batch : asked.line.bytes;
  const answer = once(thread, 'message') as Promise<[WasRead]>;
  thread.postMessage(asked, [buffer as ArrayBuffer]);
  // Fails with the error of a thread that has died.
  const [read] = await answer;
  if ('events' in read) return read.events.map(withBuffers);
  if ('fault' in read) throw read.fault;
  const { type, message, ...details } = read.refused;
  throw new AppError(type, message, details);
}

/** A Buffer comes out of a thread as the Uint8Array that it is; nothing is copied. */
function withBuffers(event: NewEvent): NewEvent {
  const bufferOf = ({ buffer, byteOffset, length }: Uint8Array) => Buffer.from(buffer, byteOffset, length);
  return Object.assign(event, { seed: bufferOf(event.seed), digest: bufferOf(event.digest) });
}

function startThread(): Worker {
  // What was to be loaded into this process (`--import`) is not for the thread. No `resourceLimits`: V8 ends the whole process
  // when they are reached within JSON.parse. What a body can take is bounded by what parseJson() refuses.
  const started = new Worker(new URL('./main.ts', import.meta.url), { execArgv: [] });
  started.unref();
  // The next body gets another one; whoever waits for this one hears of the error himself.
  started.once('error', () => {
    thread = undefined;
  });
  return started;
}

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { within } from '../../core/async/within.ts';
import type { Figures } from '../../core/metrics.ts';
import { StartError } from '../../core/stop-signals.ts';
import { nodeFlags } from '../../scripts/node-flags.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** How a process ended: by itself with a code, or by a signal. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null };

export type ForkedWorker = {
  pid: number | undefined;
  /** Fails with a StartError, whose message is for the user, when the worker ends before. */
  ready: Promise<void>;
  ended: Promise<Ending>;
  /** What it has counted. Fails when it does not say so in time. */
  figures(): Promise<Figures>;
  /** Has it end in order; one that has not begun, or does not end in time, is killed. */
  stop(): Promise<void>;
};

const program = join(import.meta.dirname, 'main.ts');

/** Milliseconds that a worker has to end: the 7.5 seconds that it takes at most for its work, and its connections. */
const stopLimitMs = 9_000;
const figuresLimitMs = 2_000;

/** Starts a worker in a process of its own. @param environment all that it knows: settings and secrets, none of them in its arguments */
export function forkWorker(environment: NodeJS.ProcessEnv): ForkedWorker {
  const child = fork(program, {
    execArgv: nodeFlags('local/worker/main.ts'),
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const tell = (message: ToWorker) => void child.send(message, () => {});
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  const ended = Promise.withResolvers<Ending>();
  let isReady = false;
  let asked: PromiseWithResolvers<Figures> | undefined;
  child.on('message', (message: FromWorker) => {
    if (message.type === 'failed') return ready.reject(new StartError(message.message));
    if (message.type === 'figures') return asked?.resolve(message.figures);
    isReady = true;
    ready.resolve();
  });
  const end = (ending: Ending, cause?: Error) => {
    const how = cause?.message ?? (ending.signal ? `by ${ending.signal}` : `with code ${ending.code}`);
    ready.reject(new StartError(`The worker process could not start; it ended ${how}.`, { cause }));
    ended.resolve(ending);
  };
  child.once('exit', (code, signal) => end({ code, signal }));
  child.once('error', (error) => end({ code: null, signal: null }, error));
  return {
    pid: child.pid,
    ready: ready.promise,
    ended: ended.promise,
    figures() {
      asked = Promise.withResolvers();
      tell({ type: 'figures' });
      return within(figuresLimitMs, 'The worker process', asked.promise);
    },
    async stop() {
      if (isReady) tell({ type: 'stop' });
      else child.kill('SIGKILL');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
      await ended.promise;
      clearTimeout(timer);
    },
  };
}

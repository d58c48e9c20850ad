import type { Log } from '../log.ts';

/** Is told of every error, again and again of the same. */
export type OutageLog = ((error: Error) => void) & {
  /** The connections are about to be ended: what breaks then is no news. */
  stop(): void;
};

const repeatAfterMs = 60_000;
/** Messages name ports and jobs, so there may be many. */
const mostMessages = 100;

/** Writes each message once a minute: a server that is away makes everything that needs it fail every few seconds. */
export function outageLog(log: Log, text: string): OutageLog {
  const written = new Map<string, number>();
  let isStopped = false;
  const hear = (error: Error) => {
    const last = written.get(error.message);
    if (isStopped || (last !== undefined && performance.now() - last < repeatAfterMs)) return;
    if (written.size >= mostMessages) written.clear();
    written.set(error.message, performance.now());
    log.warn({ err: error }, text);
  };
  return Object.assign(hear, {
    stop() {
      isStopped = true;
    },
  });
}

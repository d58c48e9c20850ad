import { setTimeout as wait } from 'node:timers/promises';
import { createPostgresBackend } from 'bullmq';
import { explainPostgres } from './postgres-monitor.ts';
import { QueueAwayError } from './queue.ts';

/** Milliseconds between two tries of a worker. */
const pauseMs = 500;

type BackendFactory = typeof createPostgresBackend;
type Backend = ReturnType<BackendFactory>;

/** What BullMQ keeps of the first contact with PostgreSQL, by which all it does begins: the first try, also one that failed. */
type Starting = { waitUntilReady(): Promise<void>; readyPromise?: Promise<void> };

/**
 * BullMQ's backend, whose start can be tried again. Else a process that came while the database was away, or whose first
 * connection was just then ended, wakes nobody until it is started anew; and a worker asks for its next job again and
 * again without ever letting anything else run.
 */
export const createStartingBackend: BackendFactory = (name, options, more) => {
  const backend = createPostgresBackend(name, options, more);
  forgetFailures(connectionOf(backend));
  forgetFailures(backend as unknown as Starting);
  return backend;
};

/**
 * BullMQ's backend for a worker: it tries until PostgreSQL answers, as on Redis, and what it asks for waits so long. A refusal is
 * thrown, after a pause, for BullMQ itself asks again without one.
 * @param signal of the worker's end, which ends the tries
 */
export const createPatientBackend =
  (signal: AbortSignal): BackendFactory =>
  (name, options, more) => {
    const backend = createStartingBackend(name, options, more);
    const connection = connectionOf(backend);
    const tryOnce = connection.waitUntilReady;
    connection.waitUntilReady = async () => {
      for (;;) {
        const error = await tryOnce().then(
          () => undefined,
          (thrown: Error) => explainPostgres(thrown),
        );
        if (!error) return;
        await wait(pauseMs, undefined, { signal }).catch(throwClosed);
        if (!(error instanceof QueueAwayError)) throw error;
        backend.emit('error', error);
      }
    };
    return backend;
  };

const connectionOf = (backend: Backend): Starting => (backend as unknown as { connection: Starting }).connection;

function forgetFailures(starting: Starting): void {
  const start = starting.waitUntilReady.bind(starting);
  starting.waitUntilReady = async () => {
    const started = start();
    const kept = starting.readyPromise;
    try {
      await started;
    } catch (error) {
      // Another caller may have begun a new try.
      if (starting.readyPromise === kept) starting.readyPromise = undefined;
      throw error;
    }
  };
}

/** These very words tell BullMQ that nothing is wrong, and that there is nothing to log. */
function throwClosed(cause: unknown): never {
  throw new Error('Connection is closed.', { cause });
}

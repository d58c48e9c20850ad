/**
 * One Ctrl-C may come twice: the terminal gives it to npm and to us, and npm passes its own on. What comes within so many
 * milliseconds is the same one.
 */
const sameSignalMs = 1_000;

/** Calls `stop` at the first SIGINT or SIGTERM. A later one ends the process at once, with 1. */
export function hearStopSignals(stop: (signal: 'SIGINT' | 'SIGTERM') => void): void {
  let firstAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (firstAt !== undefined && performance.now() - firstAt > sameSignalMs) process.exit(1);
      if (firstAt !== undefined) return;
      firstAt = performance.now();
      stop(signal);
    });
  }
}

/**
 * Waits for SIGINT or SIGTERM, stops, and ends the process: 0 when all was stopped in time, 1 otherwise.
 */
export function stopOnSignals(stop: () => Promise<void>): void {
  hearStopSignals(() => endInOrder(stop));
}

/** Milliseconds that a process has to stop. */
const deadlineMs = 10_000;

/** Stops, and ends the process: 0 when all was stopped in time, 1 otherwise. */
export function endInOrder(stop: () => Promise<void>): void {
  const timer = setTimeout(() => process.exit(1), deadlineMs);
  stop().then(
    () => {
      clearTimeout(timer);
      process.exit(0);
    },
    (error) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exit(1);
    },
  );
}

/** Ends the process with 1, and says why. */
export function failStart(error: unknown): never {
  process.stderr.write(`${startFailure(error)}\n`);
  process.exit(1);
}

/**
 * Why a start failed: the error's message if it is one for the user, everything otherwise. The messages of failed system
 * calls (a directory that cannot be made, an address that is not ours) say all there is to say.
 */
export function startFailure(error: unknown): string {
  const isForUser =
    error instanceof Error &&
    (['ConfigError', 'MigrationError', 'SessionError', 'StartError'].includes(error.name) || 'syscall' in error);
  if (isForUser) return error.message;
  return String(error instanceof Error ? error.stack : error);
}

/** A start that cannot be; the message is one line that says what to do. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

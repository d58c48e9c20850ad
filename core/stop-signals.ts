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
 * Waits for SIGINT or SIGTERM, stops, and ends the process: 0 when all was stopped in time, 1 when `deadlineMs` ran out.
 */
export function stopOnSignals(stop: () => Promise<void>, { deadlineMs = 10_000 } = {}): void {
  hearStopSignals(() => {
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
  });
}

/**
 * Ends the process with the error's message if it is one for the user, with everything otherwise. The messages of failed
 * system calls (a directory that cannot be made, an address that is not ours) say all there is to say.
 */
export function failStart(error: unknown): never {
  const isForUser =
    error instanceof Error &&
    (['ConfigError', 'MigrationError', 'SessionError', 'StartError'].includes(error.name) || 'syscall' in error);
  process.stderr.write(`${isForUser ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}

/** A start that cannot be; the message is one line that says what to do. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

import { pino } from 'pino';
import pretty from 'pino-pretty';

export type Log = pino.Logger;

/** Members that never reach a log line, wherever they stand. */
const secretMembers = ['key', 'secret', 'authorization', 'download_url', 'token', 'password'];

/**
 * The one maker of loggers. It writes to standard error, so that standard output stays for what a command prints: JSON
 * lines, or short coloured ones where that is a terminal.
 * `level` is one of pino's (fatal … trace, silent).
 */
export function makeLog(level: string): Log {
  const paths = secretMembers.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const options: pino.LoggerOptions = {
    level,
    redact: { paths, censor: '[redacted]' },
    serializers: { err: describeError },
    timestamp: pino.stdTimeFunctions.isoTime,
    base: null,
  };
  return process.stderr.isTTY
    ? pino(options, pretty({ destination: 2, sync: true, colorize: true, singleLine: true, translateTime: 'HH:MM:ss' }))
    : pino(options, pino.destination({ dest: 2, sync: true }));
}

/**
 * What is logged of an error. Not all its members: those of pg hold the whole connection, those of Prisma the query's
 * values.
 */
function describeError(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, code, cause } = error as Error & { code?: unknown };
  return {
    type: name,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(cause === undefined || depth > 3 ? {} : { cause: describeError(cause, depth + 1) }),
  };
}

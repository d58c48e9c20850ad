import { pino } from 'pino';
import pretty from 'pino-pretty';
import { withoutSecrets } from './secrets-in-text.ts';

/**
 * Every field that a line of the log may have besides `level`, `time` and `msg`, and what it holds. Written down once, and held
 * to by the type of Log, so that one id has one name in every process, and a search for it finds all that happened to it.
 */
export const logFields = {
  err: 'an error: its type, code, message, stack and causes',
  request_id: 'of an HTTP request; its reply has it as X-Request-Id',
  tenant_id: 'whom it is about',
  export_id: 'the export',
  epoch: 'which run of the export, counted from 1',
  erasure_id: 'the erasure',
  delivery_id: 'the webhook delivery; its receiver has it as webhook-id',
  key_id: 'of the API key that was used',
  method: 'of an HTTP request',
  path: 'of an HTTP request, without its query',
  status: 'of the reply to an HTTP request',
  duration_ms: 'of an HTTP request, to the end of its reply',
  aborted: 'true if the client went away before it had the whole reply',
  status_code: 'what the receiver of a webhook answered',
  rows: 'of the file',
  bytes: 'of the file',
  crashes: 'workers that died with this export',
  failures: 'runs of this export that failed',
  retryable: 'whether a failed run is repeated',
  check: 'the part that is, or is not, ready',
  duty: 'of the sweep',
  queue: 'its name',
  handling: 'jobs that were being handled',
  remedy: 'what to do about it',
  url: 'of another server that was asked',
  host: 'that the process listens on',
  port: 'that the process listens on',
  pid: 'of another process',
  ending: 'the code or the signal that the other process ended with',
} as const;

export type LogFields = { [Name in keyof typeof logFields]?: unknown };

type Write = {
  (message: string): void;
  (fields: LogFields | undefined, message: string): void;
};

/** Writes lines, each with fields of the list above. */
export type Log = Record<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', Write> & {
  /** A log whose every line has these fields too. */
  child(fields: LogFields): Log;
};

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
    // Secrets also stand in texts that others have made, such as the message of an error of a driver.
    hooks: { streamWrite: withoutSecrets },
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

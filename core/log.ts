import { pino } from 'pino';

export type Log = pino.Logger;

/** Members that never reach a log line, wherever they stand. */
const secretMembers = ['key', 'secret', 'authorization', 'download_url', 'token', 'password'];

/**
 * The one maker of loggers: JSON lines on standard error, so that standard output stays for what a command prints.
 * `level` is one of pino's (fatal … trace, silent).
 */
export function makeLog(level: string): Log {
  const paths = secretMembers.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    { level, redact: { paths, censor: '[redacted]' }, timestamp: pino.stdTimeFunctions.isoTime, base: null },
    pino.destination({ dest: 2, sync: true }),
  );
}

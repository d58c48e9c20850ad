/** Codes of connections that fail: of sockets (Node), of PostgreSQL (class 08, 25P03, 57P0x, 53300) and of Prisma. */
const codes =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|08\w{3}|25P03|57P0\d|53300|P1001|P1002|P1008|P1017|P2024|P2028)$/;

/** What pg says without a code. */
const messages =
  /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Cannot use a pool after calling end/;

/** Prisma's names for the same (`kind` of the driver adapter's error). */
const kinds = /^(DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections|TlsConnectionError)$/;

/**
 * Whether the error says that the database could not be reached, or hung up: nothing is wrong with the request, and it
 * may be repeated. Errors of Prisma and of node:net hold the reason inside themselves, so they are searched.
 */
export const isOutage = (error: unknown): boolean =>
  anyInside(error, ({ code, message, kind, syscall }) => {
    // A missing file has the code of a missing socket; only the socket is connected to.
    if (typeof code === 'string' && codes.test(code) && !(code === 'ENOENT' && syscall !== 'connect')) return true;
    if (typeof kind === 'string' && kinds.test(kind)) return true;
    return typeof message === 'string' && messages.test(message);
  });

/** Whether the database gave up: a statement took too long (57014), or waited too long for a lock (55P03). */
export const isTimeout = (error: unknown): boolean =>
  anyInside(error, ({ code, originalCode }) =>
    [code, originalCode].some((each) => each === '57014' || each === '55P03'),
  );

/** Whether the database has no room: on its disk (53100), or in its memory (53200). */
export const isFull = (error: unknown): boolean =>
  anyInside(error, ({ code, originalCode }) =>
    [code, originalCode].some((each) => each === '53100' || each === '53200' || each === 'ENOSPC'),
  );

function anyInside(error: unknown, test: (error: Record<string, unknown>) => boolean, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 6) return false;
  const { cause, meta, errors, ...members } = error as Record<string, unknown>;
  // `message` of an Error is not enumerable, so it is no rest member.
  if (test({ ...members, message: (error as Error).message })) return true;
  const inner = [cause, (meta as Record<string, unknown> | undefined)?.driverAdapterError];
  return [...inner, ...(Array.isArray(errors) ? errors : [])].some((each) => anyInside(each, test, depth + 1));
}

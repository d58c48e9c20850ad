/** Codes of connections that fail: of sockets (Node), of PostgreSQL (class 08, 57P0x, 53300) and of Prisma. */
const codes =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|08\w{3}|57P0\d|53300|P1001|P1002|P1008|P1017|P2024|P2028)$/;

/** What pg says without a code. */
const messages =
  /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Cannot use a pool after calling end/;

/** Prisma's names for the same (`kind` of the driver adapter's error). */
const kinds = /^(DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections|TlsConnectionError)$/;

/**
 * Whether the error says that the database could not be reached, or hung up: nothing is wrong with the request, and it
 * may be repeated. Errors of Prisma and of node:net hold the reason inside themselves, so they are searched.
 */
export function isOutage(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 6) return false;
  const { code, message, kind, cause, meta, errors, syscall } = error as Record<string, unknown>;
  // A missing file has the code of a missing socket; only the socket is connected to.
  if (typeof code === 'string' && codes.test(code) && !(code === 'ENOENT' && syscall !== 'connect')) return true;
  if (typeof kind === 'string' && kinds.test(kind)) return true;
  if (typeof message === 'string' && messages.test(message)) return true;
  const inner = [cause, (meta as Record<string, unknown> | undefined)?.driverAdapterError];
  return [...inner, ...(Array.isArray(errors) ? errors : [])].some((each) => isOutage(each, depth + 1));
}

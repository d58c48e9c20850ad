import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import type { WebhookGuard } from '../core/webhooks/webhook-address.ts';
import { ForbiddenAddressError } from '../core/webhooks/webhook-address.ts';

/** Bytes of an answer that are read; the rest is left where it is. */
const answerLimitBytes = 64 * 1024;
/** Characters of an answer that are kept. */
const excerptLength = 500;

/**
 * The one text for everything that is not an HTTP answer. Refused, filtered, silent and untrusted look the same, so that
 * nobody can have us scan ports; the log has the cause.
 */
const noAnswer = (deadlineMs: number) =>
  `No HTTP response within ${deadlineMs / 1000} s: the endpoint cannot be reached, is too slow, or shows no valid certificate`;

export type PostOptions = {
  guard: WebhookGuard;
  /** Milliseconds for all of it: look-up, connect, TLS, answer. */
  deadlineMs: number;
  /** Ends the request like the deadline does. */
  signal?: AbortSignal;
  /** Authorities to trust instead of Node's own (NODE_EXTRA_CA_CERTS adds to those without this). */
  certificateAuthorities?: string | undefined;
};

/** What came of one attempt. `cause` is for our log alone. */
export type PostResult = {
  statusCode: number | null;
  error: string | null;
  excerpt: string | null;
  durationMs: number;
  /** The wait that the receiver asked for. */
  retryAfterMs: number;
  cause?: unknown;
};

/**
 * Posts a webhook once. It connects only to an address that the guard has passed for this very connection, follows no
 * redirect, and never throws: what the receiver does is the result.
 */
export async function postWebhook(
  message: { url: string; headers: Record<string, string>; body: string },
  options: PostOptions,
): Promise<PostResult> {
  const { deadlineMs } = options;
  const startedAt = performance.now();
  const durationMs = () => Math.round(performance.now() - startedAt);
  // An agent of its own for each attempt: no connection that another address check has opened is taken again.
  const agent = guardedAgent(options);
  // Not a signal: undici would let a request that waits for its connection wait on.
  const end = () => void agent.destroy(new Error('deadline')).catch(() => {});
  const timer = setTimeout(end, deadlineMs);
  options.signal?.addEventListener('abort', end);
  try {
    const { url, headers, body } = message;
    const response = await request(url, { dispatcher: agent, method: 'POST', headers, body });
    const excerpt = await readExcerpt(response);
    return {
      statusCode: response.statusCode,
      error: errorOfStatus(response.statusCode),
      excerpt,
      durationMs: durationMs(),
      retryAfterMs: readRetryAfter(response.headers['retry-after']),
    };
  } catch (cause) {
    const error = cause instanceof ForbiddenAddressError ? `The URL ${cause.message}.` : noAnswer(deadlineMs);
    return { statusCode: null, error, excerpt: null, durationMs: durationMs(), retryAfterMs: 0, cause };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', end);
    agent.destroy().catch(() => {});
  }
}

/**
 * Checks when it connects, not when the URL is read, and hands the checked addresses to the socket: no second look-up
 * can answer otherwise. Literals are checked as well, for which a `lookup` alone would never be asked.
 */
function guardedAgent({ guard, deadlineMs, certificateAuthorities: ca }: PostOptions): Agent {
  const connect: buildConnector.connector = (target, callback) => {
    guard.addressesOf(target).then(
      (addresses) => {
        const connector = buildConnector({
          timeout: deadlineMs,
          maxCachedSessions: 0,
          ...(ca === undefined ? {} : { ca }),
          lookup: (_hostname, { all }, found) =>
            all ? found(null, addresses) : found(null, addresses[0]!.address, addresses[0]!.family),
        });
        connector(target, callback);
      },
      (error: Error) => callback(error, null),
    );
  };
  return new Agent({ connect, pipelining: 0, headersTimeout: deadlineMs, bodyTimeout: deadlineMs });
}

/** The status has decided already, so an answer that breaks off here is an answer all the same. */
async function readExcerpt({ body }: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= answerLimitBytes) break;
    }
  } catch {
    // What has come is what there is.
  }
  const text = Buffer.concat(chunks).subarray(0, answerLimitBytes).toString('utf8');
  // Whole characters, and no NUL: PostgreSQL could not hold it.
  return [...text.slice(0, 2 * excerptLength)]
    .slice(0, excerptLength)
    .join('')
    .toWellFormed()
    .replaceAll('\0', '\ufffd');
}

function errorOfStatus(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400)
    return `Answered ${status}: redirects are not followed; set the URL that it leads to.`;
  if (status === 410) return 'Answered 410 Gone: the endpoint wants no more webhooks.';
  return `Answered ${status}; only 2xx is success.`;
}

/** Retry-After (RFC 9110 section 10.2.3) in ms: seconds, or an HTTP date. What is neither, or past, is 0. */
export function readRetryAfter(value: string | string[] | undefined, now = Date.now()): number {
  const text = (Array.isArray(value) ? value[0] : value)?.trim() ?? '';
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return text.endsWith('GMT') && Number.isFinite(at) ? Math.max(0, at - now) : 0;
}

import type { S3ClientConfig } from '@aws-sdk/client-s3';

type RetryStrategy = Extract<
  NonNullable<S3ClientConfig['retryStrategy']>,
  { refreshRetryTokenForRetry: (...given: never[]) => unknown }
>;

/**
 * Answers that the SDK takes for mistakes of the caller, and that were one of the wire: bytes that came otherwise than
 * they were sent, or too few of them. OperationAborted is another call about the same key at the same moment.
 */
const brokenOnTheWay = ['BadDigest', 'XAmzContentSHA256Mismatch', 'IncompleteBody', 'OperationAborted'];

const waitMs = { base: 200, throttled: 1_000, longest: 10_000 };

/**
 * When a call is made again: after broken connections, timeouts, 5xx, SlowDown and bytes broken on the way, as often as
 * `attempts` says in all. The SDK's own strategy waits 50 to 200 ms and then gives up, which is shorter than a restart of
 * a server; it shares one budget between all calls of a client, so that the outage of one export becomes that of others;
 * and it takes a broken byte as final.
 */
export function retryStrategy(attempts: number): RetryStrategy {
  const token = (count: number, delayMs: number) => ({ getRetryCount: () => count, getRetryDelay: () => delayMs });
  return {
    acquireInitialRetryToken: async () => token(0, 0),
    async refreshRetryTokenForRetry(last, { error, errorType, retryAfterHint }) {
      // What a server does not know it will not know in a second.
      const isUnknown =
        (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode === 501;
      const isWorthIt =
        !isUnknown && (['THROTTLING', 'TRANSIENT'].includes(errorType) || brokenOnTheWay.includes(error?.name ?? ''));
      const count = last.getRetryCount() + 1;
      // The SDK then throws what the call has failed with.
      if (!isWorthIt || count >= attempts) throw new Error('Not tried again');
      const base = errorType === 'THROTTLING' ? waitMs.throttled : waitMs.base;
      const delayMs = Math.min(base * 2 ** (count - 1), waitMs.longest) * (0.5 + Math.random() / 2);
      const askedMs = Math.min((retryAfterHint?.getTime() ?? 0) - Date.now(), waitMs.longest);
      return token(count, Math.max(delayMs, askedMs));
    },
    recordSuccess() {},
  };
}
